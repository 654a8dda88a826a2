//! Requests and responses on the wire: a length (u32, little endian) and so many bytes. Without the length a
//! stream that was reset half-way would look like a whole, shorter answer.

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response;
use std::io;

/// Longest request, bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Longest response, bytes.
pub const RESPONSE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes by which a buffer grows: an announced length costs nothing until its bytes come.
const STEP_BYTES: usize = 64 * 1024;

/// Reads and writes requests and responses.
#[derive(Clone, Debug, Default)]
pub(crate) struct BytesCodec;

/// Reads a length and so many bytes.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when more than `max` bytes are announced, and those of the reader.
pub(crate) async fn read_prefixed<T: AsyncRead + Unpin + Send>(io: &mut T, max: usize) -> io::Result<Bytes> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_le_bytes(length) as usize;
    if length > max {
        let text = format!("{length} bytes announced, allowed are {max}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut bytes = Vec::with_capacity(length.min(STEP_BYTES));
    while bytes.len() < length {
        let from = bytes.len();
        bytes.resize(length.min(from + STEP_BYTES), 0);
        io.read_exact(&mut bytes[from..]).await?;
    }
    Ok(bytes.into())
}

/// The length as it goes before the bytes.
///
/// # Errors
/// When the length does not fit.
pub(crate) fn prefix(length: usize) -> io::Result<[u8; 4]> {
    u32::try_from(length).map(u32::to_le_bytes).map_err(io::Error::other)
}

async fn write_prefixed<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    io.write_all(&prefix(bytes.len())?).await?;
    io.write_all(bytes).await?;
    io.close().await
}

impl request_response::Codec for BytesCodec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_prefixed(io, REQUEST_BYTES_MAX).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_prefixed(io, RESPONSE_BYTES_MAX).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_prefixed(io, &request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_prefixed(io, &response).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;

    fn wire(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        block_on(write_prefixed(&mut out, bytes)).unwrap();
        out
    }

    #[test]
    fn bytes_on_the_wire_are_pinned() {
        assert_eq!(wire(b"abc"), [3, 0, 0, 0, b'a', b'b', b'c']);
        assert_eq!(wire(b""), [0, 0, 0, 0]);
    }

    #[test]
    fn reads_what_was_written() {
        for length in [0, 1, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 3 * STEP_BYTES] {
            let bytes = vec![7; length];
            let read = block_on(read_prefixed(&mut Cursor::new(wire(&bytes)), 3 * STEP_BYTES)).unwrap();
            assert_eq!(read, bytes);
        }
    }

    #[test]
    fn refuses_what_is_too_long_or_cut_off() {
        let wire = wire(&[1; 10]);
        let kind =
            |bytes: &[u8], max| block_on(read_prefixed(&mut Cursor::new(bytes), max)).unwrap_err().kind();
        assert_eq!(kind(&wire, 9), io::ErrorKind::InvalidData);
        for cut in [0, 3, 4, 13] {
            assert_eq!(kind(&wire[..cut], 10), io::ErrorKind::UnexpectedEof);
        }
    }
}
