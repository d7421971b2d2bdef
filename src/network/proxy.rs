use std::{collections::BTreeMap, ffi::OsString, fmt, sync::Arc};

use http::{
    Uri,
    uri::{PathAndQuery, Scheme},
};
use percent_encoding::percent_decode_str;

use super::NoProxy;

/// The variables that name proxies. Each counts in lower case as well.
pub const PROXY_VARIABLES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// The proxies of the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    exempt: NoProxy,
}

/// A proxy for HTTP, which tunnels HTTPS. Its `Debug` and `Display` do not show its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Uri,
    /// User and password.
    credentials: Option<(String, String)>,
    variable: &'static str,
}

impl Proxies {
    /// Reads `HTTP_PROXY` (for `http` URLs), `HTTPS_PROXY` (for `https` URLs), `ALL_PROXY` (for
    /// both) and `NO_PROXY`. An empty variable counts as not set.
    ///
    /// # Errors
    ///
    /// The variables that cannot be used, with the reason, which does not contain the URL of a proxy: it
    /// may have a password.
    pub fn of(variables: &BTreeMap<OsString, OsString>) -> Result<Self, Vec<(&'static str, String)>> {
        let mut faults = Vec::new();
        let mut proxy = |upper: &'static str, lower: &'static str| {
            let (name, value) = first(variables, [upper, lower])?;
            Proxy::parse(name, value)
                .map_err(|what| faults.push((name, what)))
                .ok()
                .map(Arc::new)
        };
        let all = proxy("ALL_PROXY", "all_proxy");
        let http = proxy("HTTP_PROXY", "http_proxy").or_else(|| all.clone());
        let https = proxy("HTTPS_PROXY", "https_proxy").or(all);
        let exempt = match first(variables, ["NO_PROXY", "no_proxy"]) {
            None => NoProxy::default(),
            Some((name, entries)) => NoProxy::parse(entries).unwrap_or_else(|what| {
                faults.push((name, what));
                NoProxy::default()
            }),
        };
        match faults.is_empty() {
            true => Ok(Self { http, https, exempt }),
            false => Err(faults),
        }
    }

    /// The proxy for a URL, if it has one.
    pub fn for_url(&self, url: &Uri) -> Option<&Arc<Proxy>> {
        let is_https = url.scheme() == Some(&Scheme::HTTPS);
        let proxy = match is_https {
            true => self.https.as_ref(),
            false => self.http.as_ref(),
        }?;
        let port = url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        (!self.exempt.contains(url.host()?, port)).then_some(proxy)
    }

    /// The hosts that are reached without a proxy.
    pub fn exempt(&self) -> &NoProxy {
        &self.exempt
    }

    /// All different proxies.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Proxy>> {
        let https = self
            .https
            .iter()
            .filter(|https| Some(*https) != self.http.as_ref());
        self.http.iter().chain(https)
    }
}

/// The first of the variables that is set and not empty. A value that is not UTF-8 is none.
fn first<'v>(
    variables: &'v BTreeMap<OsString, OsString>,
    names: [&'static str; 2],
) -> Option<(&'static str, &'v str)> {
    names
        .into_iter()
        .filter_map(|name| Some((name, variables.get(&OsString::from(name))?.to_str()?.trim())))
        .find(|(_, value)| !value.is_empty())
}

/// A percent-encoded text, if its escapes are valid.
fn decoded(text: &str) -> Option<String> {
    let is_escape = |after: &str| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let are_valid = text.split('%').skip(1).all(is_escape);
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    are_valid.then(|| decoded.into_owned())
}

impl Proxy {
    fn parse(variable: &'static str, text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "must be the URL of an HTTP proxy, such as http://proxy.example:3128";
        // curl and Go take a proxy without a scheme for one of HTTP.
        let url: Uri = match text.contains("://") {
            true => text.parse(),
            false => format!("http://{text}").parse(),
        }
        .map_err(|_| EXPECTED.to_owned())?;
        let scheme = url.scheme_str().unwrap_or_default().to_owned();
        if scheme != "http" && scheme != "https" {
            return Err(format!("{EXPECTED}; proxies of {scheme} are not supported"));
        }
        let authority = url.authority().ok_or(EXPECTED)?.as_str();
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if !matches!(url.path_and_query().map(PathAndQuery::as_str), None | Some("/")) {
            return Err(format!("{EXPECTED}; a proxy has no path, so remove it"));
        }
        let credentials = match user {
            "" => None,
            _ => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                Some(decoded(name).zip(decoded(password)).ok_or_else(|| {
                    format!("{EXPECTED}; its user or password has an invalid escape: write %25 for %")
                })?)
            }
        };
        let url = Uri::builder()
            .scheme(scheme.as_str())
            .authority(host)
            .path_and_query("/")
            .build()
            .ok()
            .filter(|url| url.host().is_some_and(|host| !host.is_empty()))
            .ok_or(EXPECTED)?;
        Ok(Self {
            url,
            credentials,
            variable,
        })
    }

    /// The URL, without user and password.
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// User and password.
    pub fn credentials(&self) -> Option<(&str, &str)> {
        let (user, password) = self.credentials.as_ref()?;
        Some((user, password))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.to_string();
        write!(f, "{} ({})", url.trim_end_matches('/'), self.variable)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, Vec<(&'static str, String)>> {
        let own = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        Proxies::of(&variables.iter().map(own).collect())
    }

    fn through(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let url = url.parse().unwrap();
        proxies(variables).unwrap().for_url(&url).map(ToString::to_string)
    }

    #[test]
    fn the_scheme_of_the_url_decides_which_variable_counts() {
        let both = [("HTTP_PROXY", "http://plain:1"), ("https_proxy", "secure:2")];
        assert_eq!(
            through(&both, "http://a.example/x").unwrap(),
            "http://plain:1 (HTTP_PROXY)"
        );
        assert_eq!(
            through(&both, "https://a.example/x").unwrap(),
            "http://secure:2 (https_proxy)"
        );
        let all = [("ALL_PROXY", "all:3"), ("HTTPS_PROXY", "")];
        assert_eq!(
            through(&all, "http://a.example").unwrap(),
            "http://all:3 (ALL_PROXY)"
        );
        assert_eq!(
            through(&all, "https://a.example").unwrap(),
            "http://all:3 (ALL_PROXY)"
        );
        assert_eq!(through(&[("HTTP_PROXY", "plain:1")], "https://a.example"), None);
        assert_eq!(through(&[], "https://a.example"), None);
    }

    #[test]
    fn exempt_hosts_are_reached_directly() {
        let some = [
            ("HTTPS_PROXY", "p:1"),
            ("HTTP_PROXY", "p:1"),
            ("no_proxy", "b.example:443"),
        ];
        assert_eq!(through(&some, "https://b.example/keys"), None);
        assert!(through(&some, "http://b.example/keys").is_some());
        assert_eq!(through(&some, "http://169.254.169.254/latest"), None);
        assert_eq!(through(&some, "http://[::1]:8080/"), None);
    }

    #[test]
    fn every_proxy_that_cannot_be_used_is_reported_without_its_password() {
        let faults = proxies(&[
            ("HTTP_PROXY", "http://user:hunter2@"),
            ("HTTPS_PROXY", "socks5://user:hunter2@proxy:1"),
            ("ALL_PROXY", "http://user:hunter2@a b"),
            ("NO_PROXY", "10.0.0.0/33"),
        ])
        .unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(!format!("{faults:?}").contains("hunter2"), "{faults:?}");
        assert!(
            format!("{faults:?}").contains("proxies of socks5 are not supported"),
            "{faults:?}"
        );
    }

    #[test]
    fn a_path_and_invalid_escapes_are_errors() {
        for (url, told) in [
            ("http://proxy:3128/path", "a proxy has no path"),
            ("http://proxy:3128?query", "a proxy has no path"),
            ("http://user:hunter2%@proxy:3128", "invalid escape"),
            ("http://user:hunter2%zz@proxy:3128", "invalid escape"),
            ("http://us%4:hunter2@proxy:3128", "invalid escape"),
            ("http://user:hunter2%FF@proxy:3128", "invalid escape"),
        ] {
            let faults = proxies(&[("HTTPS_PROXY", url)]).unwrap_err();
            assert!(faults[0].1.contains(told), "{url}: {faults:?}");
            assert!(!faults[0].1.contains("hunter2"), "{url}: {faults:?}");
        }
        assert!(proxies(&[("HTTPS_PROXY", "http://proxy:3128/")]).is_ok());
    }

    #[test]
    fn the_password_is_decoded_and_not_shown() {
        let some = proxies(&[("HTTPS_PROXY", "http://us%40er:p%3Ass@proxy:3128")]).unwrap();
        let proxy = some.for_url(&"https://a.example".parse().unwrap()).unwrap();
        assert_eq!(proxy.credentials(), Some(("us@er", "p:ss")));
        assert_eq!(proxy.url(), "http://proxy:3128/");
        assert_eq!(format!("{proxy} {some:?}").matches("ss@").count(), 0);
        assert!(!format!("{some:?}").contains("p:ss"), "{some:?}");
    }
}
