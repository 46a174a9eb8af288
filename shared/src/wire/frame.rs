//! Messages on a stream: a length of two bytes (little-endian), then so many bytes.

/// Bytes in front of each message.
pub const LENGTH_BYTES: usize = 2;

/// Cuts a stream into messages. Holds at most one message of the size allowed.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Bytes at the front of `buffer` that were handed out already.
    taken: usize,
}

/// A message that says it is larger than allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a message of {bytes} bytes, allowed are {allowed}")]
pub struct Oversized {
    /// What its length says.
    pub bytes: usize,
    /// What is allowed.
    pub allowed: usize,
}

impl FrameReader {
    /// Adds bytes of the stream. The caller bounds them by the stream's flow control.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, where there is one.
    ///
    /// # Errors
    /// [`Oversized`] as soon as a length above `allowed` is seen.
    pub fn next(&mut self, allowed: usize) -> Result<Option<&[u8]>, Oversized> {
        let rest = &self.buffer[self.taken..];
        let Some((length, rest)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let bytes = usize::from(u16::from_le_bytes(*length));
        if bytes > allowed {
            return Err(Oversized { bytes, allowed });
        }
        if rest.len() < bytes {
            return Ok(None);
        }
        let start = self.taken + LENGTH_BYTES;
        self.taken = start + bytes;
        Ok(Some(&self.buffer[start..start + bytes]))
    }

    /// Bytes held that are no whole message yet.
    pub fn waiting_bytes(&self) -> usize {
        self.buffer.len() - self.taken
    }
}

/// Appends a message of at most `allowed` bytes with its length in front.
///
/// # Errors
/// [`Oversized`] where the message is longer; nothing is appended then.
pub fn write_frame<T: serde::Serialize>(
    message: &T,
    allowed: usize,
    out: &mut Vec<u8>,
) -> Result<(), Oversized> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    crate::encoding::encode_into(message, out);
    let bytes = out.len() - start - LENGTH_BYTES;
    let length = match u16::try_from(bytes) {
        Ok(length) if bytes <= allowed => length,
        _ => {
            out.truncate(start);
            return Err(Oversized { bytes, allowed });
        }
    };
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_however_the_bytes_arrive() {
        let mut stream = Vec::new();
        for text in ["", "a", "a longer one"] {
            write_frame(&text, 64, &mut stream).expect("short");
        }
        let mut reader = FrameReader::default();
        let mut seen = Vec::new();
        for byte in stream {
            reader.extend(&[byte]);
            while let Some(message) = reader.next(64).expect("short") {
                seen.push(crate::encoding::decode::<String, 64>("text", message).expect("text"));
            }
        }
        assert_eq!(seen, ["", "a", "a longer one"]);
        assert_eq!(reader.waiting_bytes(), 0);
    }

    #[test]
    fn a_length_above_the_limit_is_seen_before_its_bytes() {
        let mut reader = FrameReader::default();
        reader.extend(&1025_u16.to_le_bytes());
        assert_eq!(reader.next(1024), Err(Oversized { bytes: 1025, allowed: 1024 }));
    }
}
