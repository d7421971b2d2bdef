use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// The network between a service and its upstream.
///
/// What a service no longer waits for still arrives, as it would at AWS: a connection that the
/// service closes is kept open on the far side. It counts the creates that pass, and can be
/// cut.
pub struct Link {
    address: SocketAddr,
    creates: watch::Receiver<u64>,
    state: watch::Sender<State>,
    relaying: JoinHandle<()>,
}

/// What it does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// Ends all, and refuses new ones.
    Refusing,
    /// Lets nothing through, either way, and says nothing.
    Silent,
}

/// How long the far side of a connection is kept for what was sent on it.
const LINGER: Duration = Duration::from_secs(2);

impl Link {
    /// To an endpoint of this machine.
    pub async fn to(endpoint: &str) -> Self {
        let far: SocketAddr = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (count, creates) = watch::channel(0);
        let count = Arc::new(count);
        let (state, told) = watch::channel(State::Open);
        let relaying = tokio::spawn(async move {
            let mut listener = Some(listener);
            let mut state = told.clone();
            loop {
                let now = *state.borrow_and_update();
                if now == State::Refusing {
                    // Closed, so that the machine itself refuses.
                    listener = None;
                } else if listener.is_none() {
                    listener = Some(TcpListener::bind(address).await.unwrap());
                }
                let accept = async {
                    match &listener {
                        Some(listener) => listener.accept().await.unwrap().0,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    near = accept => {
                        tokio::spawn(relay(near, far, count.clone(), told.clone()));
                    }
                    changed = state.changed() => if changed.is_err() { return },
                }
            }
        });
        Self {
            address,
            creates,
            state,
            relaying,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many creates were sent over it.
    pub fn creates(&self) -> u64 {
        *self.creates.borrow()
    }

    /// Waits until so many creates were sent over it.
    pub async fn has_passed(&self, creates: u64) {
        let mut passed = self.creates.clone();
        passed.wait_for(|passed| *passed >= creates).await.unwrap();
    }

    pub fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.relaying.abort();
    }
}

async fn relay(
    mut near: TcpStream,
    far: SocketAddr,
    creates: Arc<watch::Sender<u64>>,
    mut state: watch::Receiver<State>,
) {
    let Ok(mut far) = TcpStream::connect(far).await else {
        return;
    };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let is_reset = {
        let (mut near_read, mut near_write) = near.split();
        let (mut far_read, mut far_write) = far.split();
        let mut open = state.clone();
        let out = async {
            let mut bytes = vec![0; 16 * 1024];
            while let Ok(count @ 1..) = near_read.read(&mut bytes).await {
                if open.wait_for(|state| *state != State::Silent).await.is_err() {
                    return;
                }
                let passing = creates_in(&bytes[..count]);
                if far_write.write_all(&bytes[..count]).await.is_err() {
                    return;
                }
                if passing > 0 {
                    creates.send_modify(|all| *all += passing);
                }
            }
        };
        let mut open = state.clone();
        let back = async {
            let mut bytes = vec![0; 16 * 1024];
            loop {
                match far_read.read(&mut bytes).await {
                    Ok(0) => return false,
                    Ok(count) => {
                        if open.wait_for(|state| *state != State::Silent).await.is_err() {
                            return false;
                        }
                        // Nobody may be there any more.
                        let _ = near_write.write_all(&bytes[..count]).await;
                    }
                    Err(_) => return true,
                }
            }
        };
        tokio::pin!(back);
        let refusing = async {
            let _ = state.wait_for(|state| *state == State::Refusing).await;
        };
        tokio::select! {
            () = out => {
                let _ = timeout(LINGER, &mut back).await;
                false
            }
            is_reset = &mut back => is_reset,
            () = refusing => true,
        }
    };
    if is_reset {
        let _ = near.set_zero_linger();
    }
}

/// How many requests for tapes begin in these bytes. Clients write a head at once.
fn creates_in(bytes: &[u8]) -> u64 {
    const TARGET: &[u8] = b"StorageGateway_20130630.CreateTape";
    let found = bytes.windows(TARGET.len()).filter(|window| *window == TARGET);
    u64::try_from(found.count()).unwrap()
}
