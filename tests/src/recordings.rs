//! Recordings for tests: a tiny one made here, and the real ones in the folder named by `MATCHKEEP_DATA`.

use std::path::PathBuf;

const MAGIC: &[u8; 8] = b"TRAJ0001";
const RECORD_BYTES: u32 = 28;

/// A recording of `players` who stand in a row for `frames` frames, 10 ms apart.
pub fn tiny(players: u32, frames: u32) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for word in [players, frames, RECORD_BYTES] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.resize(28, 0);
    bytes.extend_from_slice(&320.0_f32.to_le_bytes());
    bytes.resize(56, 0);
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.resize(64, 0);
    for frame in 0..frames {
        bytes.extend_from_slice(&(10 * frame).to_le_bytes());
        for player in 0..players {
            let record = bytes.len();
            for coordinate in [64.0 * player as f32, frame as f32, 24.0] {
                bytes.extend_from_slice(&coordinate.to_le_bytes());
            }
            bytes.resize(record + RECORD_BYTES as usize, 3);
        }
    }
    bytes
}

/// The same, packed.
///
/// # Panics
/// Never: writing to memory does not fail.
pub fn tiny_gz(players: u32, frames: u32) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&tiny(players, frames)).expect("memory");
    packer.finish().expect("memory")
}

/// The path of a recording in the folder named by `MATCHKEEP_DATA`; `None` where the variable is unset,
/// which is said on the screen.
///
/// # Panics
/// Where the variable is set and the file cannot be read.
pub fn real(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("MATCHKEEP_DATA") else {
        crate::say_skipped(&format!("what needs {name}: MATCHKEEP_DATA is not set"));
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    let readable = std::fs::File::open(&path);
    assert!(readable.is_ok(), "MATCHKEEP_DATA is set, and {} cannot be read", path.display());
    Some(path)
}
