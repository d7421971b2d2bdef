//! The admin pages of a running service.

mod aws;
mod log_filter;
mod page;
mod probes;

use reqwest::{Client, Method, header::HeaderMap};

/// Sends a request to an admin page, and returns the status, the headers and the body.
async fn ask(url: &str, method: Method, headers: HeaderMap, body: &str) -> (u16, HeaderMap, String) {
    let request = Client::new().request(method, url);
    let answer = request.headers(headers).body(body.to_owned()).send();
    let answer = answer.await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.text().await.unwrap();
    crate::harness::secrets::check(&body);
    (status, headers, body)
}
