//! Answering other nodes' requests, a few at a time.

use super::executor::Job;
use super::known::Known;
use super::wire::{
    ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX, Blocks, Body, CertifiedBlock, Found, Places, Request,
};
use bytes::Bytes;
use quorate_chain::codec::{List, decode, encode};
use quorate_chain::ledger::Reader;
use quorate_chain::{BlockHash, Height};
use quorate_p2p::{NetworkKey, Responder};
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};

/// Requests answered at once; more go unanswered, and the asker turns to another.
const REQUESTS_MAX: usize = 8;

/// Serves what the ledger holds.
#[derive(Clone)]
pub(super) struct Server {
    reader: Reader,
    executor: std::sync::mpsc::Sender<Job>,
    known: Known,
    places: Arc<Semaphore>,
}

impl Server {
    pub(super) fn new(reader: Reader, executor: std::sync::mpsc::Sender<Job>, known: Known) -> Self {
        Self { reader, executor, known, places: Arc::new(Semaphore::new(REQUESTS_MAX)) }
    }

    pub(super) fn answer(&self, from: NetworkKey, request: &[u8], responder: Responder) {
        let request = match decode::<Request>(request) {
            Ok(request) => request,
            Err(error) => return tracing::warn!(peer = %from, %error, "refused a request"),
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let this = self.clone();
        tokio::spawn(async move {
            let answer = match request {
                Request::Blocks(height) => this.blocks(height).await,
                Request::Body(hash) => this.body(hash).await,
                Request::Transactions(block, places) => this.transactions(block, places).await,
            };
            if let Some(answer) = answer {
                responder.respond(answer);
            }
            drop(place);
        });
    }

    async fn blocks(&self, from: Height) -> Option<Bytes> {
        let reader = self.reader.clone();
        tokio::task::spawn_blocking(move || collect(&reader, from)).await.ok()?
    }

    async fn body(&self, hash: BlockHash) -> Option<Bytes> {
        let (answer, body) = oneshot::channel();
        self.executor.send(Job::Body(hash, answer)).ok()?;
        let body: Body = body.await.ok()?;
        Some(encode(&body).into())
    }

    async fn transactions(&self, block: BlockHash, places: Places) -> Option<Bytes> {
        let known = self.known.clone();
        let found = move || {
            let found: Found = known.of_proposal(block, &places).and_then(|found| List::new(found).ok());
            encode(&found).into()
        };
        tokio::task::spawn_blocking(found).await.ok()
    }
}

fn collect(reader: &Reader, from: Height) -> Option<Bytes> {
    let mut blocks = Vec::new();
    let (mut height, mut bytes) = (from, 0);
    while blocks.len() < ANSWER_BLOCKS_MAX && bytes < ANSWER_BYTES_MAX {
        match reader.block(height) {
            Ok(Some(found)) => {
                bytes += found.block.transactions.iter().map(|t| t.bytes().len()).sum::<usize>();
                blocks.push(CertifiedBlock {
                    block: found.block.clone(),
                    path: found.path.clone(),
                    certificate: found.certificate.clone(),
                });
            }
            Ok(None) => break,
            Err(error) => {
                tracing::error!(height = height.0, %error, "cannot read a committed block");
                break;
            }
        }
        height = height.next();
    }
    Some(encode(&Blocks::new(blocks).ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Chain, PATIENCE, pair, request, transactions};
    use super::*;
    use quorate_p2p::Error;
    use tokio::time::timeout;

    /// The heights of an answer.
    fn heights(reader: &Reader, from: u64) -> Vec<u64> {
        let answer = collect(reader, Height(from)).unwrap();
        let blocks = decode::<Blocks>(&answer).unwrap();
        blocks.iter().map(|block| block.block.header.height.0).collect()
    }

    #[test]
    fn an_answer_ends_with_the_block_that_fills_it() {
        const EACH: usize = 16_000;
        let mut chain = Chain::open();
        let half = (ANSWER_BYTES_MAX / 2 / EACH) as u64;
        let rest = ANSWER_BYTES_MAX / 2 - half as usize * EACH;
        // Two blocks of half an answer each, one of a byte less, two small ones.
        let mut nonce = 0;
        for (many, last) in [(half, rest), (half, rest), (half, rest - 1), (0, 300), (0, 300)] {
            let mut all = transactions(nonce..nonce + many, EACH);
            all.extend(transactions(nonce + many..nonce + many + 1, last));
            nonce += many + 1;
            chain.commit(all);
        }
        assert_eq!(heights(&chain.reader, 1), [1, 2]);
        assert_eq!(heights(&chain.reader, 2), [2, 3, 4], "a byte is left after the second");
        assert_eq!(heights(&chain.reader, 5), [5]);
        assert!(heights(&chain.reader, 6).is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn so_many_requests_are_answered_at_once_and_the_next_is_told_of_no_answer() {
        let chain = Chain::open();
        let (jobs, queue) = std::sync::mpsc::channel();
        let server = Server::new(chain.reader.clone(), jobs, Known::default());
        let [(asker, _events), (asked, mut events)] = pair().await;
        let ask = |number| {
            let (asker, to) = (asker.clone(), asked.local_key());
            let request = encode(&Request::Body(BlockHash([number; 32])));
            tokio::spawn(async move { asker.request(to, request.into()).await })
        };
        // The executor is slow.
        let (mut asking, mut held) = (Vec::new(), Vec::new());
        for number in 0..REQUESTS_MAX as u8 {
            asking.push(ask(number));
            let (from, bytes, responder) = request(&mut events).await;
            server.answer(from, &bytes, responder);
            let Ok(Job::Body(hash, answer)) = queue.recv_timeout(PATIENCE) else { panic!("no job") };
            assert_eq!(hash, BlockHash([number; 32]));
            held.push(answer);
        }
        let refused = ask(99);
        let (from, bytes, responder) = request(&mut events).await;
        server.answer(from, &bytes, responder);
        let refused = timeout(PATIENCE, refused).await.unwrap().unwrap();
        assert!(matches!(refused, Err(Error::NoAnswer { .. })), "{refused:?}");
        assert!(queue.try_recv().is_err());
        held.into_iter().for_each(|answer| answer.send(None).unwrap());
        for answered in asking {
            let answer = timeout(PATIENCE, answered).await.unwrap().unwrap().unwrap();
            assert_eq!(decode::<Body>(&answer), Ok(None));
        }
    }
}
