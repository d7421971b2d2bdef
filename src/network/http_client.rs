use http::Uri;
use reqwest::{Url, blocking};

use super::{Proxies, Proxy};

/// A builder of HTTP clients that use these proxies, and no other ones of the environment.
pub fn http_client(proxies: &Proxies) -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().proxy(chosen_by(proxies))
}

/// The same for clients that block their thread.
pub fn blocking_http_client(proxies: &Proxies) -> blocking::ClientBuilder {
    blocking::Client::builder().no_proxy().proxy(chosen_by(proxies))
}

fn chosen_by(proxies: &Proxies) -> reqwest::Proxy {
    let proxies = proxies.clone();
    reqwest::Proxy::custom(move |url: &Url| {
        let url: Uri = url.as_str().parse().ok()?;
        proxies.for_url(&url).and_then(|proxy| with_credentials(proxy))
    })
}

fn with_credentials(proxy: &Proxy) -> Option<Url> {
    let mut url = Url::parse(&proxy.url().to_string()).ok()?;
    if let Some((user, password)) = proxy.credentials() {
        url.set_username(user).ok()?;
        url.set_password(Some(password)).ok()?;
    }
    Some(url)
}
