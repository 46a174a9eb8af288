//! Bits into bytes and back: least significant bit first, no alignment.

use super::Malformed;

/// Appends bits to bytes that somebody else owns.
#[derive(Debug)]
pub struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits not yet in `out`, lowest first; fewer than 8 between calls.
    pending: u64,
    pending_bits: u32,
    start: usize,
}

impl<'a> BitWriter<'a> {
    /// Starts after what `out` holds, at a byte's beginning.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, pending: 0, pending_bits: 0, start }
    }

    /// Writes the low `bits` bits of `value`; at most 56.
    #[inline]
    pub fn write(&mut self, value: u64, bits: u32) {
        debug_assert!(bits <= 56 && (bits == 56 || value >> bits == 0), "{value} in {bits} bits");
        self.pending |= value << self.pending_bits;
        self.pending_bits += bits;
        let whole = (self.pending_bits / 8) as usize;
        if whole > 0 {
            self.out.extend_from_slice(&self.pending.to_le_bytes()[..whole]);
            self.pending = if whole == 8 { 0 } else { self.pending >> (8 * whole) };
            self.pending_bits %= 8;
        }
    }

    /// Writes one bit.
    #[inline]
    pub fn flag(&mut self, value: bool) {
        self.write(u64::from(value), 1);
    }

    /// Writes a whole number in groups of 4 bits, each behind a bit that says one more comes.
    pub fn varint(&mut self, mut value: u32) {
        loop {
            let group = u64::from(value & 15);
            value >>= 4;
            self.write(group << 1 | u64::from(value != 0), 5);
            if value == 0 {
                return;
            }
        }
    }

    /// Copies `bits` bits that begin at bit `from` of `source`.
    pub fn copy(&mut self, source: &[u8], from: usize, bits: usize) {
        let mut reader = BitReader { bytes: source, position: from };
        let mut left = bits;
        while left > 0 {
            let chunk = left.min(56);
            self.write(reader.peek(chunk as u32), chunk as u32);
            reader.position += chunk;
            left -= chunk;
        }
    }

    /// Bits written so far.
    pub fn bits_written(&self) -> usize {
        (self.out.len() - self.start) * 8 + self.pending_bits as usize
    }

    /// Fills the last byte with zeros.
    pub fn finish(self) {
        if self.pending_bits > 0 {
            self.out.push(self.pending as u8);
        }
    }
}

/// Takes bits from bytes.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Up to 56 bits from here; zeros past the end.
    #[inline]
    fn peek(&self, bits: u32) -> u64 {
        let byte = self.position / 8;
        let mut window = [0; 8];
        let rest = self.bytes.get(byte..).unwrap_or(&[]);
        if let Some(eight) = rest.first_chunk::<8>() {
            window = *eight;
        } else {
            window[..rest.len()].copy_from_slice(rest);
        }
        let value = u64::from_le_bytes(window) >> (self.position % 8);
        value & ((1 << bits) - 1)
    }

    /// Reads `bits` bits; at most 56.
    ///
    /// # Errors
    /// [`Malformed`] where fewer are left.
    #[inline]
    pub fn read(&mut self, bits: u32) -> Result<u64, Malformed> {
        debug_assert!(bits <= 56);
        if self.position + bits as usize > self.bytes.len() * 8 {
            return Err(Malformed("bits: end early"));
        }
        let value = self.peek(bits);
        self.position += bits as usize;
        Ok(value)
    }

    /// Reads one bit.
    ///
    /// # Errors
    /// [`Malformed`] where none is left.
    #[inline]
    pub fn flag(&mut self) -> Result<bool, Malformed> {
        Ok(self.read(1)? == 1)
    }

    /// Takes the zeros that come next, at most `most` of them; says how many.
    pub fn take_zeros(&mut self, most: usize) -> usize {
        let most = most.min(self.bytes.len() * 8 - self.position);
        let mut taken = 0;
        while taken < most {
            let chunk = (most - taken).min(56);
            let zeros = (self.peek(chunk as u32).trailing_zeros() as usize).min(chunk);
            self.position += zeros;
            taken += zeros;
            if zeros < chunk {
                break;
            }
        }
        taken
    }

    /// Reads what [`BitWriter::varint`] wrote.
    ///
    /// # Errors
    /// [`Malformed`] where the bits end early, the number has more than 32 bits or superfluous groups.
    pub fn varint(&mut self) -> Result<u32, Malformed> {
        let mut value: u64 = 0;
        for group in 0..8 {
            let bits = self.read(5)?;
            value |= (bits >> 1) << (4 * group);
            if bits & 1 == 0 {
                if group > 0 && bits >> 1 == 0 {
                    return Err(Malformed("varint: not the shortest form"));
                }
                return u32::try_from(value).map_err(|_| Malformed("varint: above 32 bits"));
            }
        }
        Err(Malformed("varint: above 32 bits"))
    }

    /// Ends the reading: what is left must be the zeros that fill the last byte.
    ///
    /// # Errors
    /// [`Malformed`] where more is left.
    pub fn finish(mut self) -> Result<(), Malformed> {
        let left = self.bytes.len() * 8 - self.position;
        if left >= 8 || self.read(left as u32)? != 0 {
            return Err(Malformed("datagram: something follows its end"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((any::<u64>(), 1_u32..=56), 0..60)) {
            let mut bytes = vec![0xaa];
            let mut writer = BitWriter::new(&mut bytes);
            for (value, bits) in &values {
                writer.write(value & ((1 << bits) - 1), *bits);
            }
            let written = writer.bits_written();
            writer.finish();
            prop_assert_eq!(written, values.iter().map(|v| v.1 as usize).sum::<usize>());
            let mut reader = BitReader::new(&bytes[1..]);
            for (value, bits) in &values {
                prop_assert_eq!(reader.read(*bits), Ok(value & ((1 << bits) - 1)));
            }
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn zeros_are_taken_as_single_bits_would_be(
            source in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..40),
            from in 0_usize..100, most in 0_usize..200,
        ) {
            let from = from.min(source.len() * 8);
            let mut reader = BitReader { bytes: &source, position: from };
            let mut single = reader.clone();
            let mut expected = 0;
            while expected < most && single.clone().flag() == Ok(false) {
                single.position += 1;
                expected += 1;
            }
            prop_assert_eq!(reader.take_zeros(most), expected);
            prop_assert_eq!(reader.position, from + expected);
        }

        #[test]
        fn varints_come_back(value: u32, small in 0_u32..64) {
            for value in [value, small] {
                let mut bytes = Vec::new();
                let mut writer = BitWriter::new(&mut bytes);
                writer.varint(value);
                writer.finish();
                let mut reader = BitReader::new(&bytes);
                prop_assert_eq!(reader.varint(), Ok(value));
                prop_assert_eq!(reader.finish(), Ok(()));
            }
        }

        #[test]
        fn copied_bits_are_the_same_bits(
            source in prop::collection::vec(any::<u8>(), 1..64), lead in 0_u32..8, from in 0_usize..100,
            bits in 0_usize..400,
        ) {
            let from = from.min(source.len() * 8);
            let bits = bits.min(source.len() * 8 - from);
            let mut bytes = Vec::new();
            let mut writer = BitWriter::new(&mut bytes);
            writer.write(0, lead);
            writer.copy(&source, from, bits);
            writer.finish();
            let mut copied = BitReader { bytes: &bytes, position: lead as usize };
            let mut original = BitReader { bytes: &source, position: from };
            for _ in 0..bits {
                prop_assert_eq!(copied.read(1), original.read(1));
            }
        }
    }

    #[test]
    fn a_padded_varint_is_refused() {
        // Group 0 with "one more", then an empty group.
        let mut bytes = Vec::new();
        let mut writer = BitWriter::new(&mut bytes);
        writer.write(0b00111, 5);
        writer.write(0, 5);
        writer.finish();
        assert!(BitReader::new(&bytes).varint().is_err());
    }
}
