//! The whole tick of a match, in memory: every player's datagram decoded, the step, every player's snapshot
//! encoded, at 2, 10, 32 and 100 players. Divide by the players for what one costs.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use matchkeep_benches::play::{self, SIZES, WARM_TICKS};
use matchkeep_benches::rehearsal::{DATAGRAM_BYTES, Rehearsal};
use matchkeep_shared::time::TickRate;

/// A match that was played this long starts anew: none ends under a benchmark.
const TICKS_MAX: u64 = 200_000;

fn match_tick(c: &mut Criterion) {
    let mut group = c.benchmark_group("match_tick");
    for players in SIZES {
        let (_, hash) = warm(players);
        let (mut rehearsal, again) = warm(players);
        assert_eq!(hash, again, "two runs of {players} players send other datagrams");
        let inputs = rehearsal.game().input_totals();
        assert_eq!(inputs.applied, WARM_TICKS * players as u64, "inputs were lost");

        group.throughput(Throughput::Elements(players as u64));
        group.bench_function(format!("{players}_players"), |b| {
            b.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                for _ in 0..iterations {
                    if rehearsal.game().tick().0 == TICKS_MAX {
                        (rehearsal, _) = warm(players);
                    }
                    rehearsal.prepare();
                    let start = Instant::now();
                    std::hint::black_box(rehearsal.tick());
                    time += start.elapsed();
                }
                time
            });
        });
        check(&rehearsal, players);
    }
    group.finish();
}

/// What was measured went as it should: every input applied, a datagram for everybody.
fn check(rehearsal: &Rehearsal, players: usize) {
    let ticks = rehearsal.game().tick().0;
    assert_eq!(rehearsal.game().input_totals().applied, ticks * players as u64);
    let sizes = rehearsal.downlink().iter().map(Vec::len);
    assert_eq!(sizes.filter(|bytes| (10..=DATAGRAM_BYTES).contains(bytes)).count(), players);
}

fn warm(players: usize) -> (Rehearsal, u64) {
    let mut rehearsal = Rehearsal::new(play::config(players), TickRate::default());
    let hash = rehearsal.play(WARM_TICKS);
    (rehearsal, hash)
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = settings(); targets = match_tick }
criterion_main!(benches);
