//! What the operating system knows and control asks it: the wall clock, and what the kernel dropped.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds of Unix time.
pub(crate) fn unix_ms() -> u64 {
    unix().as_millis() as u64
}

/// Nanoseconds of Unix time, by the same clock: good until 2554.
pub(crate) fn unix_ns() -> u64 {
    unix().as_nanos() as u64
}

/// Milliseconds of Unix time by the system's clock as it is now: what identity providers and operators go by. It may be set
/// back and forth.
pub(crate) fn world_unix_ms() -> u64 {
    world().as_millis() as u64
}

/// By how much that is ahead of the node's own clock, in milliseconds; behind it is negative.
pub(crate) fn clock_skew_ms() -> i64 {
    world_unix_ms().wrapping_sub(unix_ms()) as i64
}

#[expect(clippy::disallowed_methods, reason = "the one place where the node reads the time of day")]
fn world() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Unix time, by the system's clock as it was when the process first asked and a clock
/// that nobody sets since then: tickets and promises do not end early or live on when somebody sets the
/// system's clock, and lobby and shards agree.
#[expect(clippy::disallowed_methods, reason = "the one place where the node reads the time of day")]
fn unix() -> Duration {
    static START: OnceLock<(Instant, Duration)> = OnceLock::new();
    let (start, start_unix) = START.get_or_init(|| (Instant::now(), world()));
    *start_unix + start.elapsed()
}

/// Datagrams that the kernel dropped for all sockets on this UDP port, because their buffers were full.
/// 0 where the kernel does not tell.
pub(crate) fn udp_drops(port: u16) -> u64 {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    let tables = tables.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    tables.map(|table| drops_in(&table, port)).sum()
}

fn drops_in(table: &str, port: u16) -> u64 {
    let of_port = |line: &&str| {
        let local = line.split_whitespace().nth(1);
        let hex = local.and_then(|address| address.rsplit(':').next());
        hex.and_then(|hex| u16::from_str_radix(hex, 16).ok()) == Some(port)
    };
    let lines = table.lines().skip(1).filter(of_port);
    lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read_by_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                     uid  timeout inode ref pointer drops\n \
                     100: 0100007F:1E62 00000000:0000 07 00000000:00000000 00:00000000 00000000     \
                     0        0 4242 2 0000000000000000 17\n \
                     101: 0100007F:1E63 00000000:0000 07 00000000:00000000 00:00000000 00000000     \
                     0        0 4243 2 0000000000000000 5\n";
        assert_eq!(drops_in(table, 0x1E62), 17);
        assert_eq!(drops_in(table, 0x1E63), 5);
        assert_eq!(drops_in(table, 1), 0);
    }
}
