//! The canonical byte form of everything that is signed, hashed, stored or sent: borsh with limits.
//!
//! One value has one encoding: trailing bytes are refused, sets and maps are lists in strictly ascending
//! order, and a length above its bound is refused before anything is allocated for it.

use borsh::io::{Error, ErrorKind, Read, Result as IoResult, Write};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Serialize, Serializer};
use std::ops::Deref;

/// Bytes that are not the canonical encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a canonical encoding: {0}")]
pub struct DecodeError(pub String);

/// Encodes; writing into memory cannot fail.
pub fn encode<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    encode_into(value, &mut bytes);
    bytes
}

/// Encodes behind what is there.
pub fn encode_into<T: BorshSerialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) {
    // A Vec never refuses a write, and no type of ours has a length above u32::MAX.
    let written = value.serialize(bytes);
    assert!(written.is_ok(), "encoding into memory cannot fail");
}

/// Decodes all of `bytes`.
///
/// # Errors
/// When the bytes are cut short, over a limit, out of order or have something behind them.
pub fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, DecodeError> {
    borsh::from_slice(bytes).map_err(|error| DecodeError(error.to_string()))
}

/// An error inside a hand-written decoder.
pub fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

/// A list of `MIN..=MAX` elements. Its length is checked before its elements are read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct List<T, const MIN: usize, const MAX: usize>(Vec<T>);

/// Bytes, at most `MAX` of them; hex in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes<const MAX: usize>(Vec<u8>);

/// UTF-8 text without control characters, 1 to `MAX` bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(String);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    /// # Errors
    /// When there are fewer than `MIN` or more than `MAX`.
    pub fn new(items: Vec<T>) -> Result<Self, DecodeError> {
        if (MIN..=MAX).contains(&items.len()) {
            Ok(Self(items))
        } else {
            Err(DecodeError(format!("{} elements, allowed are {MIN} to {MAX}", items.len())))
        }
    }

    /// The elements.
    #[must_use]
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Default for List<T, 0, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<const MAX: usize> Bytes<MAX> {
    /// # Errors
    /// When there are more than `MAX`.
    pub fn new(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        if bytes.len() <= MAX {
            Ok(Self(bytes))
        } else {
            Err(DecodeError(format!("{} bytes, allowed are {MAX}", bytes.len())))
        }
    }
}

impl<const MAX: usize> Text<MAX> {
    /// # Errors
    /// When it is empty, longer than `MAX` bytes or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, DecodeError> {
        let text = text.into();
        if text.is_empty() || text.len() > MAX {
            return Err(DecodeError(format!("text of {} bytes, allowed are 1 to {MAX}", text.len())));
        }
        if text.chars().any(char::is_control) {
            return Err(DecodeError("text with control characters".into()));
        }
        Ok(Self(text))
    }
}

impl<const MAX: usize> Text<MAX> {
    /// A text of the program's own, which is known to be sound.
    pub(crate) fn literal(text: &'static str) -> Self {
        debug_assert!(Self::new(text).is_ok(), "an unsound literal");
        Self(text.to_owned())
    }
}

impl<T, const MIN: usize, const MAX: usize> Deref for List<T, MIN, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<const MAX: usize> Deref for Bytes<MAX> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<T: BorshSerialize, const MIN: usize, const MAX: usize> BorshSerialize for List<T, MIN, MAX> {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        BorshSerialize::serialize(&self.0, writer)
    }
}

impl<const MAX: usize> BorshSerialize for Bytes<MAX> {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        BorshSerialize::serialize(&self.0, writer)
    }
}

impl<const MAX: usize> BorshSerialize for Text<MAX> {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        BorshSerialize::serialize(&self.0, writer)
    }
}

/// Elements that room is made for before the first one has been read.
const PREALLOCATED_MAX: usize = 1024;

fn read_length<R: Read>(reader: &mut R, min: usize, max: usize) -> IoResult<usize> {
    let length = u32::deserialize_reader(reader)? as usize;
    if length < min || length > max { Err(invalid("length out of bounds")) } else { Ok(length) }
}

impl<T: BorshDeserialize, const MIN: usize, const MAX: usize> BorshDeserialize for List<T, MIN, MAX> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let length = read_length(reader, MIN, MAX)?;
        let mut items = Vec::with_capacity(length.min(PREALLOCATED_MAX));
        for _ in 0..length {
            items.push(T::deserialize_reader(reader)?);
        }
        Ok(Self(items))
    }
}

/// Reads in steps, so that a lie about the length costs no more memory than the bytes that really came.
fn read_bytes<R: Read>(reader: &mut R, length: usize) -> IoResult<Vec<u8>> {
    const STEP: usize = 4096;
    let mut bytes = Vec::with_capacity(length.min(STEP));
    let mut buffer = [0; STEP];
    while bytes.len() < length {
        let step = (length - bytes.len()).min(STEP);
        reader.read_exact(&mut buffer[..step])?;
        bytes.extend_from_slice(&buffer[..step]);
    }
    Ok(bytes)
}

impl<const MAX: usize> BorshDeserialize for Bytes<MAX> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let length = read_length(reader, 0, MAX)?;
        read_bytes(reader, length).map(Self)
    }
}

impl<const MAX: usize> BorshDeserialize for Text<MAX> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let length = read_length(reader, 1, MAX)?;
        let text =
            String::from_utf8(read_bytes(reader, length)?).map_err(|_| invalid("text is not UTF-8"))?;
        Self::new(text).map_err(|error| invalid(&error.0))
    }
}

impl<T: Serialize, const MIN: usize, const MAX: usize> Serialize for List<T, MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Serialize::serialize(&self.0, serializer)
    }
}

impl<const MAX: usize> Serialize for Bytes<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<const MAX: usize> Serialize for Text<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, T: serde::Deserialize<'de>, const MIN: usize, const MAX: usize> serde::Deserialize<'de>
    for List<T, MIN, MAX>
{
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(<Vec<T> as serde::Deserialize>::deserialize(deserializer)?)
            .map_err(serde::de::Error::custom)
    }
}

impl<'de, const MAX: usize> serde::Deserialize<'de> for Bytes<MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = hex::decode(<String as serde::Deserialize>::deserialize(deserializer)?)
            .map_err(serde::de::Error::custom)?;
        Self::new(bytes).map_err(serde::de::Error::custom)
    }
}

impl<'de, const MAX: usize> serde::Deserialize<'de> for Text<MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(<String as serde::Deserialize>::deserialize(deserializer)?)
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_bytes_are_refused() {
        assert_eq!(decode::<u8>(&[7]), Ok(7));
        assert!(decode::<u8>(&[7, 0]).is_err());
    }

    #[test]
    fn lengths_are_checked_before_allocation() {
        let lie = [0xff, 0xff, 0xff, 0x7f, 1, 2];
        assert!(decode::<Bytes<16>>(&lie).is_err());
        assert!(decode::<List<u64, 0, 8>>(&lie).is_err());
        assert!(decode::<Text<8>>(&lie).is_err());
        assert!(decode::<Bytes<{ usize::MAX }>>(&lie).is_err(), "cut short");
        assert!(decode::<List<u8, 1, 8>>(&encode(&Vec::<u8>::new())).is_err());
    }

    #[test]
    fn text_is_text() {
        assert!(Text::<8>::new("bank a").is_ok());
        assert!(Text::<8>::new("").is_err());
        assert!(Text::<8>::new("a\nb").is_err());
        assert!(decode::<Text<8>>(&encode("a\nb")).is_err());
        assert!(decode::<Text<8>>(&[1, 0, 0, 0, 0xff]).is_err());
    }

    #[test]
    fn a_list_may_be_longer_than_what_room_is_made_for() {
        type Long = List<u16, 0, { 2 * PREALLOCATED_MAX }>;
        let full = vec![7; 2 * PREALLOCATED_MAX];
        assert_eq!(decode::<Long>(&encode(&full)).unwrap().into_inner(), full);
        assert!(decode::<Long>(&encode(&vec![7_u16; 2 * PREALLOCATED_MAX + 1])).is_err());
    }
}
