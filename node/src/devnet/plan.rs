//! How many validators, and where they listen.

use super::Options;
use crate::error::NodeError;
use quorate_chain::quorum::Quorum;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// Most validators of a devnet: each is a process.
const VALIDATORS_MAX: u16 = 32;
/// How many there are if nothing is said.
const VALIDATORS: u16 = 4;
/// The first port if nothing is said.
const BASE_PORT: u16 = 26600;
/// The plan's form.
const VERSION: u32 = 1;
/// How long the validators of a devnet that was killed may hold their ports: they end with their parent.
const PORTS_FREE: Duration = Duration::from_secs(3);
/// How often the ports are tried meanwhile.
const PORTS_RETRY: Duration = Duration::from_millis(100);

/// Size and ports of a devnet; fixed once it is generated, because the validators' cards name the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// The plan's form.
    pub(super) version: u32,
    /// How many validators.
    pub(super) validators: u16,
    /// The first port.
    pub(super) base_port: u16,
}

impl Plan {
    /// What the options say, or what was generated, if they do not contradict each other.
    pub(super) fn new(options: &Options, generated: Option<Self>) -> Result<Self, NodeError> {
        let wanted = Self {
            version: VERSION,
            validators: options.validators.or(generated.map(|plan| plan.validators)).unwrap_or(VALIDATORS),
            base_port: options.base_port.or(generated.map(|plan| plan.base_port)).unwrap_or(BASE_PORT),
        };
        if let Some(generated) = generated.filter(|generated| *generated != wanted) {
            return Err(NodeError::Devnet(format!(
                "the devnet in {} has {} validators and base port {}; leave --validators and --base-port out to \
                 go on with it, start over with --fresh, or choose another --dir",
                options.dir.display(),
                generated.validators,
                generated.base_port
            )));
        }
        if !(1..=VALIDATORS_MAX).contains(&wanted.validators) {
            return Err(NodeError::Usage(format!("--validators: allowed are 1 to {VALIDATORS_MAX}")));
        }
        let last = u32::from(wanted.base_port) + 2 * u32::from(wanted.validators) - 1;
        if wanted.base_port == 0 || last > u32::from(u16::MAX) {
            return Err(NodeError::Usage(format!("--base-port: the ports {} to {last}", wanted.base_port)));
        }
        Ok(wanted)
    }

    /// The validators' indices.
    pub(super) fn indices(self) -> std::ops::Range<u16> {
        0..self.validators
    }

    /// What validator `index` is called, and its folder.
    pub(super) fn name(index: u16) -> String {
        format!("validator-{index}")
    }

    /// Where validator `index` serves clients.
    pub(super) const fn rpc(self, index: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.base_port + 2 * index)
    }

    /// Where validator `index` serves peers.
    pub(super) const fn p2p(self, index: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.base_port + 2 * index + 1)
    }

    /// Where validator `index` is called.
    pub(super) fn url(self, index: u16) -> String {
        format!("http://{}", self.rpc(index))
    }

    /// How many validators commit a block.
    pub(super) fn quorum(self) -> usize {
        Quorum::of(usize::from(self.validators)).q()
    }

    /// Whether all ports are free.
    pub(super) fn check_ports(self) -> Result<(), NodeError> {
        let deadline = Instant::now() + PORTS_FREE;
        for address in self.indices().flat_map(|index| [self.rpc(index), self.p2p(index)]) {
            while let Err(error) = TcpListener::bind(address) {
                if error.kind() != ErrorKind::AddrInUse {
                    return Err(NodeError::system("cannot listen on 127.0.0.1")(error));
                }
                if Instant::now() >= deadline {
                    return Err(NodeError::PortBusy { address });
                }
                std::thread::sleep(PORTS_RETRY);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(validators: Option<u16>, base_port: Option<u16>) -> Options {
        Options { dir: "d".into(), validators, base_port, fresh: false }
    }

    #[test]
    fn a_generated_devnet_keeps_its_size_and_ports() {
        let made = Plan::new(&options(Some(5), Some(3000)), None).unwrap();
        assert_eq!((made.rpc(2).port(), made.p2p(2).port()), (3004, 3005));
        assert_eq!(Plan::new(&options(None, None), Some(made)).unwrap(), made);
        assert_eq!(Plan::new(&options(Some(5), None), Some(made)).unwrap(), made);
        let error = Plan::new(&options(Some(4), None), Some(made)).unwrap_err().to_string();
        assert!(error.contains("--fresh"), "{error}");
    }

    #[test]
    fn sizes_and_ports_have_limits() {
        assert!(Plan::new(&options(Some(0), None), None).is_err());
        assert!(Plan::new(&options(Some(33), None), None).is_err());
        assert!(Plan::new(&options(Some(4), Some(0)), None).is_err());
        assert!(Plan::new(&options(Some(4), Some(65_529)), None).is_err());
        assert!(Plan::new(&options(Some(4), Some(65_528)), None).is_ok());
    }
}
