//! Sockets and routes.

use crate::api::Api;
use crate::config::ServerConfig;
use crate::errors::ApiError;
use crate::guard::{self, Guard};
use crate::json_rpc::JsonRpc;
use crate::view::NodeView;
use crate::{explorer, json_rpc, metrics, rest};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::response::Redirect;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::catch_panic::CatchPanicLayer;

/// Pause after a failed accept, for instance when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The genesis document is not JSON.
    #[error("the genesis document is not JSON: {0}")]
    Genesis(#[from] serde_json::Error),
    /// A JSON-RPC method is registered twice.
    #[error("{0}")]
    Method(#[from] jsonrpsee::core::RegisterMethodError),
}

/// A server that listens, but does not answer before [`Server::run`].
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    config: ServerConfig,
}

/// Serves until `shutdown` is ready and the requests under way are answered or out of time.
///
/// # Errors
/// When the server does not start.
pub async fn serve(
    config: ServerConfig,
    view: NodeView,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Server::bind(config, view).await?.run(shutdown).await;
    Ok(())
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// When the address is taken, or what is to be served is unsound.
    pub async fn bind(config: ServerConfig, view: NodeView) -> Result<Self, ServeError> {
        let router = router(&config, view)?;
        let bind = |source| ServeError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        Ok(Self { listener, address, router, config })
    }

    /// Where it listens, with the port that was found if 0 was asked for.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready and the requests under way are answered or out of time.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let connections = Arc::new(Semaphore::new(self.config.connections_max));
        let graceful = GracefulShutdown::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = accept(&self.listener, &connections) => accepted,
            };
            match accepted {
                Some((stream, place)) => self.spawn_connection(stream, place, &graceful),
                None => break,
            }
        }
        drop(self.listener);
        if tokio::time::timeout(self.config.stop_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still under way when the server stopped");
        }
    }

    fn spawn_connection(&self, stream: TcpStream, place: OwnedSemaphorePermit, graceful: &GracefulShutdown) {
        // Answers are small and whole: waiting for more bytes only delays them.
        let _ = stream.set_nodelay(true);
        let mut builder = Builder::new(TokioExecutor::new()).http1_only();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.config.head_timeout);
        let service = TowerToHyperService::new(self.router.clone());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a client's connection ended early");
            }
            drop(place);
        });
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(connections).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, place)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn router(config: &ServerConfig, view: NodeView) -> Result<Router, ServeError> {
    let api = Api::new(config, view)?;
    let json_rpc = JsonRpc::new(config, api.clone())?;
    let root = get(|| async { Redirect::to("/explorer") })
        .merge(axum::routing::post(json_rpc::handle).with_state(json_rpc));
    Ok(Router::new()
        .route("/", root)
        .nest("/v1", rest::routes(config.body_bytes_max))
        .route("/explorer/", get(|| async { Redirect::to("/explorer") }))
        .nest("/explorer", explorer::routes())
        .merge(metrics::routes())
        .fallback(|uri: Uri| async move { ApiError::UnknownMethod(uri.path().to_owned()) })
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .with_state(api)
        .layer(DefaultBodyLimit::max(config.body_bytes_max))
        .layer(axum::middleware::from_fn_with_state(Arc::new(Guard::new(config)), guard::pass))
        .layer(CatchPanicLayer::custom(guard::panicked)))
}
