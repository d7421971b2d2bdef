//! The end of a server.

use tapegate_emulator::Server;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::oneshot};

use super::config::Call;

#[tokio::test]
async fn a_connection_kept_open_does_not_hold_up_the_stop() {
    let config = Call::default()
        .arg("--listen=127.0.0.1:0")
        .arg("--seed-tapes=0")
        .config();
    let server = Server::bind(config).await.unwrap();
    let address = server.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(server.run(async { drop(stopped.await) }));
    let mut connection = TcpStream::connect(address).await.unwrap();
    // Half a request: nobody knows whether the rest will come.
    connection.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    drop(stop);
    ended.await.unwrap().unwrap();
}
