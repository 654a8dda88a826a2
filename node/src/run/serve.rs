//! Answering other nodes' requests, a few at a time.

use super::executor::Job;
use super::wire::{ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX, Blocks, Body, CertifiedBlock, Request};
use bytes::Bytes;
use quorate_chain::Height;
use quorate_chain::codec::{decode, encode};
use quorate_chain::ledger::Reader;
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
    places: Arc<Semaphore>,
}

impl Server {
    pub(super) fn new(reader: Reader, executor: std::sync::mpsc::Sender<Job>) -> Self {
        Self { reader, executor, places: Arc::new(Semaphore::new(REQUESTS_MAX)) }
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

    async fn body(&self, hash: quorate_chain::BlockHash) -> Option<Bytes> {
        let (answer, body) = oneshot::channel();
        self.executor.send(Job::Body(hash, answer)).ok()?;
        let body: Body = body.await.ok()?;
        Some(encode(&body).into())
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
