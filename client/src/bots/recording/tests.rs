//! Recordings made up, damaged and real.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

const OK: u8 = PRESENT | ALIVE;

fn still(x: f32, state: u8) -> Moment {
    Moment { position: Vec3::new(x, 0.0, 0.0), yaw: 0, pitch: 0, weapon: 1, state }
}

/// A player in a frame of a made-up recording.
pub(crate) struct Scripted {
    pub(crate) at: Vec3,
    pub(crate) yaw: u16,
    pub(crate) pitch: u16,
    pub(crate) shot: bool,
}

/// A recording of living players, in frames 100 ms apart.
pub(crate) fn scripted<const N: usize>(frames: &[[Scripted; N]]) -> Recording {
    let frames = frames.iter().map(|players| {
        players.each_ref().map(|player| {
            let Scripted { at, yaw, pitch, shot } = *player;
            let state = if shot { OK | FIRED } else { OK };
            Moment { position: at, yaw, pitch, weapon: 1, state }
        })
    });
    let frames: Vec<_> = frames.collect();
    Recording::parse(&file(&frames)).expect("sound")
}

/// A file of frames 100 ms apart.
fn file<const N: usize>(frames: &[[Moment; N]]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for value in [N as u32, frames.len() as u32, RECORD_BYTES as u32, 0] {
        bytes.extend(value.to_le_bytes());
    }
    for value in [32.0_f32, 320.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([LAYOUT.to_le_bytes(), [0; 4]].concat());
    for (frame, moments) in frames.iter().enumerate() {
        bytes.extend((5000 + 100 * frame as u32).to_le_bytes());
        for moment in moments {
            for axis in moment.position.to_array() {
                bytes.extend(axis.to_le_bytes());
            }
            for angle in [moment.pitch, moment.yaw, 0] {
                bytes.extend(angle.to_le_bytes());
            }
            bytes.extend([moment.state, 0, 100, 0, 0, 0]);
            bytes.extend([moment.weapon, 30].map(u16::to_le_bytes).concat());
        }
    }
    bytes
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A recording of one player.
fn recording(moments: &[Moment]) -> Recording {
    let bytes = file(&moments.iter().map(|moment| [*moment]).collect::<Vec<_>>());
    let packed = Recording::parse(&packed(&bytes)).expect("sound");
    let plain = Recording::parse(&bytes).expect("sound");
    assert_eq!(packed.moments, plain.moments);
    plain
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn between_frames_positions_are_linear_and_angles_take_the_shorter_way() {
    let a = Moment { yaw: 65_000, pitch: 100, ..still(0.0, OK) };
    let b = Moment { yaw: 464, pitch: 65_436, ..still(10.0, OK) };
    let sample = recording(&[a, b, b]).sample(0, ms(50));
    assert_eq!((sample.position.x, sample.velocity.x), (5.0, 100.0));
    assert_eq!((sample.yaw, sample.pitch), (65_500, 0));
    assert!(sample.alive && sample.weapon == 1);
}

#[test]
fn the_earlier_frame_holds_across_teleports_deaths_and_births() {
    for (before, after) in [(OK, OK | TELEPORTED), (OK, PRESENT), (PRESENT, OK), (0, OK)] {
        let recording = recording(&[still(0.0, before), still(10.0, after), still(10.0, OK)]);
        let sample = recording.sample(0, ms(99));
        assert_eq!((sample.position.x, sample.velocity.x), (0.0, 0.0), "{before} {after}");
        assert_eq!(sample.alive, before == OK);
    }
}

#[test]
fn it_begins_again_at_its_end() {
    let recording = recording(&[still(0.0, OK), still(10.0, OK), still(20.0, OK)]);
    assert_eq!(recording.duration(), ms(200));
    for at in [0, 50, 150, 199] {
        let sample = recording.sample(0, ms(at));
        assert_eq!(sample, recording.sample(0, ms(at + 200 * 7)));
    }
}

#[test]
fn every_shot_falls_into_one_tick() {
    let shot = |i| still(0.0, if [0, 3, 4, 9].contains(&i) { OK | FIRED } else { OK });
    let moments: Vec<_> = (0..10).map(shot).collect();
    let recording = recording(&moments);
    for tick in [7, 16, 33] {
        // Three rounds, from before the first instant of one.
        let at = |i: u64| ms(830) + ms(tick) * i as u32;
        let ticks = (0..).take_while(|i| at(*i) < ms(830 + 2700));
        let fired = ticks.filter(|i| recording.presses(0, at(*i), at(i + 1)).fire).count();
        // Frame 9 is also frame 0 of the next round.
        assert_eq!(fired, 9, "{tick} ms");
    }
    assert!(recording.presses(0, ms(899), ms(900)).fire);
    assert!(!recording.presses(0, ms(400), ms(899)).fire);
    assert!(recording.presses(0, ms(400), ms(400_000)).fire);
}

#[test]
fn a_step_of_upward_speed_is_a_jump() {
    let at = |z: f32| Moment { position: Vec3::new(0.0, 0.0, z), ..still(0.0, OK) };
    let recording = recording(&[at(0.0), at(0.0), at(25.0), at(40.0), at(40.0)]);
    let jumps = [100, 200, 300, 400].map(|t| recording.presses(0, ms(t - 100), ms(t)).jump);
    assert_eq!(jumps, [false, true, false, false]);
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    let sound = file(&[[still(0.0, OK)]; 3]);
    let with = |at: usize, value: &[u8]| {
        let mut bytes = sound.clone();
        bytes.splice(at..at + value.len(), value.iter().copied());
        bytes
    };
    let second = HEADER_BYTES + TIME_BYTES + RECORD_BYTES;
    for (bytes, expected) in [
        (with(0, b"MVD"), "header, magic: `MVDJ0001`, allowed are `TRAJ0001`"),
        (sound[..3].to_vec(), "header, magic: `TRA`"),
        (sound[..63].to_vec(), "header, length: 63, allowed are 64 bytes"),
        (with(8, &[0]), "header, n_slots: 0, allowed are 1 to 128"),
        (with(8, &[129]), "header, n_slots: 129"),
        (with(12, &[1]), "header, n_frames: 1, allowed are 2 to"),
        (with(12, &[0xff; 4]), "header, n_frames: 4294967295"),
        (with(16, &[24]), "header, rec_size: 24, allowed are 28"),
        (with(56, &[2]), "header, layout: 2, allowed are 1"),
        (sound[..sound.len() - 1].to_vec(), "frame 2: the file ends before the 160 bytes"),
        ([&sound[..], &[0]].concat(), "byte 160: the file goes on after the 160 bytes"),
        (with(second, &5000_u32.to_le_bytes()), "frame 1: at 5000 ms, not after"),
        (with(second + 8, &f32::NAN.to_le_bytes()), "frame 1: the position of player 0"),
        (packed(&sound)[..30].to_vec(), "cannot be unpacked"),
    ] {
        let message = Recording::parse(&bytes).expect_err(expected).to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn memory_is_taken_for_what_is_there_and_not_for_what_is_announced() {
    struct Counted(u64);
    impl Read for Counted {
        fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
            self.0 += block.len() as u64;
            block.fill(0);
            Ok(block.len())
        }
    }
    // Zeros for ever, behind a header that announces the most there may be.
    let mut header = file::<1>(&[]);
    let frames = (RECORDING_BYTES_MAX - HEADER_BYTES) / (TIME_BYTES + RECORD_BYTES);
    header[12..16].copy_from_slice(&(frames as u32).to_le_bytes());
    let mut source = Counted(0);
    Recording::read(header.chain(&mut source)).expect_err("all frames are at 0 ms");
    assert!(source.0 < 100, "{} bytes were taken", source.0);
    Recording::parse(&header).expect_err("there is no frame");
}

proptest! {
    #[test]
    fn no_bytes_panic(
        random in prop::collection::vec(any::<u8>(), 0..300),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in 0..=200_usize,
        at in any::<u32>(),
    ) {
        let mut bytes = file(&[[still(0.0, OK)]; 4]);
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        bytes.truncate(length);
        let gz = packed(&bytes);
        let torn = &gz[..gz.len().min(length)];
        let disguised = [&GZIP_MAGIC[..], &random].concat();
        for bytes in [&bytes, &random, &gz, torn, &disguised[..]] {
            if let Ok(recording) = Recording::parse(bytes) {
                // 32 bytes of a file become 36 in memory, and vectors double.
                prop_assert!(recording.moments.capacity() <= 16);
                for player in 0..recording.players() {
                    let at = Duration::from_micros(u64::from(at));
                    prop_assert!(!recording.sample(player, at).position.is_nan());
                    recording.presses(player, at / 2, at);
                }
            }
        }
    }
}

/// The recordings in the folder that `MATCHKEEP_DATA` names; where it is not set, none, and it says
/// so.
#[expect(clippy::disallowed_methods, reason = "tests read the recordings they are pointed to")]
pub(crate) fn recordings() -> Vec<(PathBuf, Arc<Recording>)> {
    let Ok(folder) = std::env::var("MATCHKEEP_DATA") else {
        eprintln!("MATCHKEEP_DATA is not set: this test had no recordings");
        return Vec::new();
    };
    let names = std::fs::read_dir(&folder).expect("MATCHKEEP_DATA names a readable folder");
    let paths = names.map(|entry| entry.expect("the folder is readable").path());
    let paths = paths.filter(|path| path.to_string_lossy().ends_with(".traj.gz"));
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("the recording is readable");
        let recording = Recording::parse(&bytes).expect("the recording is sound");
        (path, Arc::new(recording))
    };
    let recordings: Vec<_> = paths.map(read).collect();
    assert!(!recordings.is_empty(), "{folder} holds no recording");
    recordings
}

#[test]
fn the_recordings_of_real_matches_are_read() {
    for (path, recording) in recordings() {
        assert!(recording.duration() > ms(60_000) && recording.players() > 1);
        for player in 0..recording.players() {
            let ticks = (0..600_u64).map(|tick| ms(tick * 1000 / 60));
            let samples: Vec<_> = ticks.map(|at| recording.sample(player, at)).collect();
            let alive = samples.iter().filter(|s| s.alive).count();
            let moving = samples.iter().filter(|s| s.velocity.length() > 100.0).count();
            assert!(alive > 60 && moving > 60, "{path:?}, player {player}: {alive}, {moving}");
            let all = recording.presses(player, Duration::ZERO, recording.duration());
            assert_eq!(all, Presses { fire: true, jump: true }, "{path:?}, player {player}");
        }
    }
}
