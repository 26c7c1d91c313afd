//! A network that may die: bytes go through until it is cut, and after that nothing does, not even an end.

use finial_daemon::Tasks;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub(super) struct Relay {
    pub(super) port: u16,
    cut: Option<oneshot::Sender<()>>,
    is_cut: Option<oneshot::Receiver<()>>,
}

impl Relay {
    /// Carries one connection to a port of this machine.
    pub(super) async fn start(to: u16, tasks: &Tasks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, cutting) = oneshot::channel::<()>();
        let (done, is_cut) = oneshot::channel();
        tasks.spawn("relay", async move {
            let (mut near, _) = listener.accept().await.unwrap();
            // Nobody else gets through.
            drop(listener);
            let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = cutting => {}
            }
            let _ = done.send(());
            // Both ends stay open, and silent.
            std::future::pending::<()>().await;
            drop((near, far));
        });
        Self { port, cut: Some(cut), is_cut: Some(is_cut) }
    }

    pub(super) async fn cut(&mut self) {
        drop(self.cut.take());
        self.is_cut.take().unwrap().await.unwrap();
    }
}
