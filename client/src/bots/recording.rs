//! Recordings of real players: reading a `TRAJ0001` file and asking it where a player was, and what they
//! pressed, at any time. Knows no game, no tick and no file system: the bytes come by argument.

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::limits::{PLAYERS_PER_MATCH_MAX, RECORDING_BYTES_MAX};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const MAGIC: [u8; 8] = *b"TRAJ0001";
const LAYOUT: u32 = 1;
const HEADER_BYTES: usize = 64;
const TIME_BYTES: usize = 4;
const RECORD_BYTES: usize = 28;

const PRESENT: u8 = 1;
const ALIVE: u8 = 2;
const FIRED: u8 = 8;
const TELEPORTED: u8 = 16;

/// Upward speed gained from one frame to the next that only a jump gives, in units a second.
const JUMP_GAIN: f32 = 200.0;

/// How far from the origin a position may be, in units: further than any map reaches, and near enough
/// to compute with.
const REACH_MAX: f32 = 1e6;

/// A recorded match: where everyone was, where they looked, what they pressed, frame by frame.
#[derive(Clone)]
pub struct Recording {
    players: usize,
    run_speed: f32,
    /// When each frame was taken, from the first on; ascending, at least two.
    frames: Vec<Duration>,
    /// `players` of them for each frame.
    moments: Vec<Moment>,
}

/// One player in one frame.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Moment {
    position: Vec3,
    yaw: u16,
    pitch: u16,
    weapon: u16,
    state: u8,
}

/// One player at one time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// Where the player was, in units.
    pub position: Vec3,
    /// From one frame to the next, in units a second; zero where the player did not get there by moving.
    pub velocity: Vec3,
    /// Where the player looked; 65536 is a full turn, counter-clockwise from +x.
    pub yaw: u16,
    /// Where the player looked; 65536 is a full turn, positive looks down.
    pub pitch: u16,
    /// Whether the player was there and alive.
    pub alive: bool,
    /// The bit of the weapon in hand, in the recording's numbering.
    pub weapon: u16,
}

/// What a player pressed during an interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Presses {
    /// A weapon went off.
    pub fire: bool,
    /// The player left the ground by jumping.
    pub jump: bool,
}

/// Why bytes are no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The header says what this reader cannot use.
    #[error("header, {field}: {value}, allowed are {allowed}")]
    Header {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The file is shorter or longer than its header announces.
    #[error("{place}: the file {fault} the {bytes} bytes that its header announces")]
    Length {
        /// Where that shows.
        place: String,
        /// What is wrong there.
        fault: &'static str,
        /// How long the file should be.
        bytes: u64,
    },
    /// A frame holds what no recording can.
    #[error("frame {frame}: {fault}")]
    Frame {
        /// Its number, from 0.
        frame: u32,
        /// What is wrong with it.
        fault: String,
    },
    /// The gzip stream is damaged.
    #[error("{place}: cannot be unpacked: {cause}")]
    Packing {
        /// How far it could be read.
        place: String,
        /// What the unpacker says.
        cause: io::Error,
    },
}

const SHORT: &str = "ends before";
const LONG: &str = "goes on after";

/// What the header announces.
struct Announced {
    players: usize,
    frames: u32,
    run_speed: f32,
    bytes: u64,
}

impl Recording {
    /// Reads a recording, gzipped or not.
    ///
    /// Takes memory only for frames that are there, whatever the header announces, and unpacks no more
    /// than [`RECORDING_BYTES_MAX`].
    ///
    /// # Errors
    /// [`RecordingError`] names what is wrong and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordingError> {
        if bytes.starts_with(&GZIP_MAGIC) {
            Self::read(MultiGzDecoder::new(bytes))
        } else {
            Self::read(bytes)
        }
    }

    fn read(mut source: impl Read) -> Result<Self, RecordingError> {
        let mut header = [0; HEADER_BYTES];
        let got = fill(&mut source, &mut header).map_err(|cause| packing("header", cause))?;
        let announced = read_header(&header[..got])?;
        let Announced { players, frames: count, run_speed, bytes } = announced;
        let mut frames = Vec::new();
        let mut moments = Vec::new();
        let mut block = vec![0; TIME_BYTES + players * RECORD_BYTES];
        let (mut first_ms, mut before_ms) = (0, 0);
        for frame in 0..count {
            let place = || format!("frame {frame}");
            let got = fill(&mut source, &mut block).map_err(|cause| packing(place(), cause))?;
            if got < block.len() {
                return Err(RecordingError::Length { place: place(), fault: SHORT, bytes });
            }
            let at_ms = u32_at(&block, 0);
            if frame == 0 {
                first_ms = at_ms;
            } else if at_ms <= before_ms {
                let fault = format!("at {at_ms} ms, not after the one before ({before_ms} ms)");
                return Err(RecordingError::Frame { frame, fault });
            }
            before_ms = at_ms;
            frames.push(Duration::from_millis(u64::from(at_ms - first_ms)));
            for (player, record) in block[TIME_BYTES..].chunks_exact(RECORD_BYTES).enumerate() {
                let moment = read_record(record);
                // Written so that NaN is not in reach.
                if !moment.position.abs().cmple(Vec3::splat(REACH_MAX)).all() {
                    let fault = format!(
                        "the position of player {player}, {}, is no number up to {REACH_MAX}",
                        moment.position
                    );
                    return Err(RecordingError::Frame { frame, fault });
                }
                moments.push(moment);
            }
        }
        let got = fill(&mut source, &mut [0]).map_err(|cause| packing("end of file", cause))?;
        if got > 0 {
            let place = format!("byte {bytes}");
            return Err(RecordingError::Length { place, fault: LONG, bytes });
        }
        Ok(Self { players, run_speed, frames, moments })
    }

    /// How many players it holds.
    pub fn players(&self) -> usize {
        self.players
    }

    /// How fast its players ran, in units a second.
    pub fn run_speed(&self) -> f32 {
        self.run_speed
    }

    /// From its first frame to its last, where it begins again.
    pub fn duration(&self) -> Duration {
        self.frames.last().copied().unwrap_or_default()
    }

    /// A player at a time; beyond the end it begins again. Between frames positions are linear and
    /// angles take the shorter way; across a teleport, a death or a birth the earlier frame holds.
    ///
    /// # Panics
    /// Where `player` is not below [`Recording::players`].
    pub fn sample(&self, player: usize, at: Duration) -> Sample {
        let (_, index, into) = self.locate(at);
        let a = self.moment(index, player);
        // Times are taken modulo the duration, so a frame always follows.
        let b = self.moment(index + 1, player);
        let mut sample = Sample {
            position: a.position,
            velocity: Vec3::ZERO,
            yaw: a.yaw,
            pitch: a.pitch,
            alive: a.is_alive(),
            weapon: a.weapon,
        };
        if a.leads_to(b) {
            let length = (self.frames[index + 1] - self.frames[index]).as_secs_f32();
            let part = into.as_secs_f32() / length;
            sample.position = a.position + (b.position - a.position) * part;
            sample.velocity = (b.position - a.position) / length;
            sample.yaw = between(a.yaw, b.yaw, part);
            sample.pitch = between(a.pitch, b.pitch, part);
        }
        sample
    }

    /// What a player pressed after `after` and until `until`, that instant included. Of an interval
    /// longer than the recording it looks at one round.
    ///
    /// # Panics
    /// Where `player` is not below [`Recording::players`].
    pub fn presses(&self, player: usize, after: Duration, until: Duration) -> Presses {
        // The last frame is the first of the next round.
        let round = self.frames.len() as u128 - 1;
        let number = |at| {
            let (rounds, index, _) = self.locate(at);
            rounds * round + index as u128
        };
        let (first, last) = (number(after) + 1, number(until));
        let mut presses = Presses::default();
        for number in first.max((last + 1).saturating_sub(round))..=last {
            let index = (number % round) as usize;
            let index = if index == 0 && number > 0 { round as usize } else { index };
            let moment = self.moment(index, player);
            presses.fire |= moment.state & FIRED != 0;
            presses.jump |= self.jumped(index, player);
        }
        presses
    }

    /// Whether the upward speed stepped up on the way to this frame.
    fn jumped(&self, index: usize, player: usize) -> bool {
        let Some(first) = index.checked_sub(2) else { return false };
        let [a, b, c] = [first, first + 1, index].map(|i| self.moment(i, player));
        let rise =
            |from: usize, z: f32| z / (self.frames[from + 1] - self.frames[from]).as_secs_f32();
        let before = rise(first, b.position.z - a.position.z);
        let after = rise(first + 1, c.position.z - b.position.z);
        c.is_alive() && a.leads_to(b) && b.leads_to(c) && after - before > JUMP_GAIN
    }

    /// The rounds played before `at`, the last frame of this round not after it, and the time since.
    fn locate(&self, at: Duration) -> (u128, usize, Duration) {
        let duration = self.duration().as_nanos();
        let rounds = at.as_nanos() / duration;
        // Below the duration, which fits: times in the file are 32 bits of milliseconds.
        let rest = Duration::from_nanos((at.as_nanos() % duration) as u64);
        let index = self.frames.partition_point(|frame| *frame <= rest) - 1;
        (rounds, index, rest - self.frames[index])
    }

    fn moment(&self, frame: usize, player: usize) -> &Moment {
        assert!(player < self.players, "player {player} of a recording of {}", self.players);
        &self.moments[frame * self.players + player]
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("players", &self.players)
            .field("frames", &self.frames.len())
            .field("duration", &self.duration())
            .finish_non_exhaustive()
    }
}

impl Moment {
    fn is_alive(&self) -> bool {
        self.state & (PRESENT | ALIVE) == PRESENT | ALIVE
    }

    /// Whether the player got from here to `next` by moving.
    fn leads_to(&self, next: &Self) -> bool {
        let same = |bit| (self.state ^ next.state) & bit == 0;
        next.state & TELEPORTED == 0 && same(PRESENT) && same(ALIVE)
    }
}

/// The angle `part` of the shorter way from `a` to `b`.
fn between(a: u16, b: u16, part: f32) -> u16 {
    let way = f32::from(b.wrapping_sub(a) as i16);
    a.wrapping_add((way * part).round() as i16 as u16)
}

fn read_header(header: &[u8]) -> Result<Announced, RecordingError> {
    let wrong = |field, value: String, allowed: String| {
        Err(RecordingError::Header { field, value, allowed })
    };
    if header.get(..MAGIC.len()) != Some(&MAGIC) {
        let found = header.get(..MAGIC.len()).unwrap_or(header).escape_ascii();
        return wrong("magic", format!("`{found}`"), "`TRAJ0001`".into());
    }
    if header.len() < HEADER_BYTES {
        return wrong("length", header.len().to_string(), format!("{HEADER_BYTES} bytes"));
    }
    let (players, frames) = (u32_at(header, 8), u32_at(header, 12));
    let (record, layout) = (u32_at(header, 16), u32_at(header, 56));
    let run_speed = f32_at(header, 28);
    if layout != LAYOUT {
        return wrong("layout", layout.to_string(), LAYOUT.to_string());
    }
    if record as usize != RECORD_BYTES {
        return wrong("rec_size", record.to_string(), RECORD_BYTES.to_string());
    }
    if !(1..=PLAYERS_PER_MATCH_MAX).contains(&(players as usize)) {
        return wrong("n_slots", players.to_string(), format!("1 to {PLAYERS_PER_MATCH_MAX}"));
    }
    if !(run_speed.is_finite() && run_speed > 0.0) {
        return wrong("run_speed", run_speed.to_string(), "finite numbers above 0".into());
    }
    let players = players as usize;
    let frame_bytes = (TIME_BYTES + players * RECORD_BYTES) as u64;
    let frames_max = (RECORDING_BYTES_MAX - HEADER_BYTES) as u64 / frame_bytes;
    if !(2..=frames_max).contains(&u64::from(frames)) {
        return wrong("n_frames", frames.to_string(), format!("2 to {frames_max}"));
    }
    let bytes = HEADER_BYTES as u64 + u64::from(frames) * frame_bytes;
    Ok(Announced { players, frames, run_speed, bytes })
}

fn read_record(record: &[u8]) -> Moment {
    Moment {
        position: Vec3::new(f32_at(record, 0), f32_at(record, 4), f32_at(record, 8)),
        pitch: u16_at(record, 12),
        yaw: u16_at(record, 14),
        state: record[18],
        weapon: u16_at(record, 24),
    }
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[at + i])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn f32_at(bytes: &[u8], at: usize) -> f32 {
    f32::from_le_bytes(array_at(bytes, at))
}

/// Reads until `block` is full or the source ends; tells how much came.
fn fill(source: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < block.len() {
        match source.read(&mut block[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

fn packing(place: impl Into<String>, cause: io::Error) -> RecordingError {
    RecordingError::Packing { place: place.into(), cause }
}

#[cfg(test)]
pub(crate) mod tests;
