use std::{fmt, sync::Arc};

/// Who calls, as far as it was proved, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    name: String,
    groups: Vec<String>,
    proof: Proof,
}

/// What proved a [`Principal`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Nothing did: the service runs with `allow_anonymous`.
    None,
    /// A client certificate.
    Certificate,
    /// A token that this issuer has signed.
    Jwt {
        /// The issuer, by the configuration.
        issuer: Arc<str>,
    },
    /// A static token.
    Token {
        /// Its public half.
        id: String,
    },
}

/// The longest name of a principal or a group, in bytes.
pub const MAX_NAME: usize = 2_048;

/// The most groups of a principal.
const MAX_GROUPS: usize = 1_000;

impl Principal {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self {
            name: "anonymous".to_owned(),
            groups: Vec::new(),
            proof: Proof::None,
        }
    }

    /// A principal of this name, a member of these groups; `None` where a name is empty,
    /// longer than [`MAX_NAME`], or has a control character in it, and for more than
    /// 1,000 groups.
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
        let right = |name: &String| (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control);
        if groups.len() > MAX_GROUPS || !right(&name) || !groups.iter().all(right) {
            return None;
        }
        groups.sort_unstable();
        groups.dedup();
        Some(Self { name, groups, proof })
    }

    /// The name that policies and the audit know it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The groups that it is in, in order, each once.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// What proved it.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Whether nobody had to prove anything.
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
