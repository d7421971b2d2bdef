use std::{collections::BTreeMap, fmt, sync::Arc};

/// An authenticated caller: its name, its groups, its tags, and how it was authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    name: String,
    groups: Vec<String>,
    tags: BTreeMap<String, String>,
    proof: Proof,
}

/// How a [`Principal`] was authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Not at all: the service runs with `allow_anonymous`.
    None,
    /// By a client certificate.
    Certificate,
    /// By a JWT.
    Jwt {
        /// The issuer that signed it, by its name in the settings.
        issuer: Arc<str>,
    },
    /// By a static token.
    Token {
        /// The public part of the token.
        id: String,
    },
}

/// The longest name of a principal or a group, in bytes.
pub const MAX_NAME: usize = 2_048;

/// The most groups of a principal.
const MAX_GROUPS: usize = 1_000;

impl Principal {
    /// The principal of all callers with `allow_anonymous`.
    pub fn anonymous() -> Self {
        Self {
            name: "anonymous".to_owned(),
            groups: Vec::new(),
            tags: BTreeMap::new(),
            proof: Proof::None,
        }
    }

    /// A principal with this name and these groups. `None` if a name is empty, longer than
    /// [`MAX_NAME`] or contains a control character, or if there are more than 1,000 groups.
    ///
    /// ```
    /// use tapegate::domain::{Principal, Proof};
    ///
    /// let groups = ["site-berlin", "agents"].map(str::to_owned);
    /// let agent = Principal::new("agent-7".to_owned(), groups, Proof::Certificate).unwrap();
    /// assert_eq!(agent.groups(), ["agents", "site-berlin"]);
    /// assert!(Principal::new("agent\n7".to_owned(), [], Proof::Certificate).is_none());
    /// ```
    pub fn new(name: String, groups: impl IntoIterator<Item = String>, proof: Proof) -> Option<Self> {
        let mut groups: Vec<_> = groups.into_iter().take(MAX_GROUPS + 1).collect();
        let is_valid =
            |name: &String| (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control);
        if groups.len() > MAX_GROUPS || !is_valid(&name) || !groups.iter().all(is_valid) {
            return None;
        }
        groups.sort_unstable();
        groups.dedup();
        Some(Self {
            name,
            groups,
            tags: BTreeMap::new(),
            proof,
        })
    }

    /// The same principal with these tags.
    pub fn with_tags(self, tags: BTreeMap<String, String>) -> Self {
        Self { tags, ..self }
    }

    /// The name, as in policies and the audit log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The groups, sorted and without duplicates.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The tags that policies see: what a pattern captured from a client certificate.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    /// How it was authenticated.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Whether callers are not authenticated.
    pub fn is_anonymous(&self) -> bool {
        self.proof == Proof::None
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Certificate => f.write_str("certificate"),
            Self::Jwt { issuer } => write!(f, "jwt {issuer}"),
            Self::Token { id } => write!(f, "token {id}"),
        }
    }
}
