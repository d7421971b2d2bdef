//! The sessions of roles, with the credentials that STS issued. They end with the process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

use super::{Caller, Keys, Signer, caller::unique_id};

/// What every issued access key id begins with. An id of another emulator, or of an earlier start,
/// is thus known to be invalid, also where any other id is accepted.
const ISSUED: &str = "ASIAEMU";

/// The maximum number of sessions. A further one replaces the oldest.
const MAX_SESSIONS: usize = 10_000;

/// A session of a role, as the control API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleSession {
    /// The id of its credentials, such as `ASIAEMU0123456789ABC`.
    pub access_key_id: String,
    /// The account of the role, 12 digits.
    pub account: String,
    /// The role.
    pub role_arn: String,
    /// The name that the caller gave it.
    pub session_name: String,
    /// The ARN of the session, `arn:PARTITION:sts::ACCOUNT:assumed-role/NAME/SESSION`.
    pub arn: String,
    /// The session's tags, with those that it inherited.
    pub tags: BTreeMap<String, String>,
    /// The keys of the tags that sessions inherit which this one makes.
    pub transitive_tag_keys: Vec<String>,
    /// Who is behind the session, if the caller said so.
    pub source_identity: Option<String>,
    /// The ARN of the caller, or the subject of its web identity token.
    pub assumed_by: String,
    /// The region of the STS endpoint, `None` for an unsigned call.
    pub region: Option<String>,
    /// The end of its credentials, in UTC.
    #[serde(serialize_with = "rfc3339")]
    pub expires: SystemTime,
}

// By reference, as serde calls it.
fn rfc3339<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown(*time))
}

/// A time in RFC 3339, in UTC and whole seconds.
pub(crate) fn shown(time: SystemTime) -> String {
    let seconds = Timestamp::try_from(time).unwrap_or(Timestamp::MAX);
    seconds.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Whether a session's credentials are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// They are accepted until they expire.
    Active,
    /// They have expired, or the control API has expired them.
    Expired,
    /// They are valid, but have no permission: the control API has revoked them.
    Revoked,
}

/// What a new session is made of.
pub(crate) struct NewSession<'a> {
    pub(crate) role_arn: &'a str,
    pub(crate) session_name: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) transitive_tag_keys: Vec<String>,
    pub(crate) source_identity: Option<String>,
    pub(crate) assumed_by: String,
    pub(crate) region: Option<String>,
    pub(crate) issued: SystemTime,
    pub(crate) duration: Duration,
}

/// The credentials of a new session.
pub(crate) struct Issued {
    pub(crate) session: Arc<RoleSession>,
    pub(crate) secret_access_key: SecretString,
    pub(crate) session_token: SecretString,
}

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Held>);

#[derive(Default)]
struct Held {
    last: u64,
    /// In the order in which they were issued.
    sessions: BTreeMap<u64, Entry>,
    by_key: HashMap<String, u64>,
}

struct Entry {
    session: Arc<RoleSession>,
    partition: String,
    secret: SecretString,
    token: SecretString,
    /// What the control API made of it.
    state: SessionState,
}

impl RoleSession {
    /// The unique id of the role, and the name of the session.
    pub(crate) fn assumed_role_id(&self) -> String {
        format!("{}:{}", unique_id("AROA", &self.role_arn), self.session_name)
    }
}

/// Whether an id looks like one that STS of an emulator issued.
pub(super) fn is_issued_id(access_key_id: &str) -> bool {
    access_key_id.starts_with(ISSUED)
}

impl Sessions {
    /// Issues credentials for a session of a role.
    pub(crate) fn issue(&self, new: NewSession<'_>, role: &crate::settings::RoleArn<'_>) -> Issued {
        let [id, secret, more, token] = std::array::from_fn(|_| Uuid::new_v4());
        let hex = id.simple().to_string().to_uppercase();
        let secret = [secret.as_bytes().as_slice(), &more.as_bytes()[..14]].concat();
        let session = Arc::new(RoleSession {
            access_key_id: format!("{ISSUED}{}", &hex[..13]),
            account: role.account.to_owned(),
            role_arn: new.role_arn.to_owned(),
            arn: format!(
                "arn:{}:sts::{}:assumed-role/{}/{}",
                role.partition, role.account, role.name, new.session_name
            ),
            session_name: new.session_name,
            tags: new.tags,
            transitive_tag_keys: new.transitive_tag_keys,
            source_identity: new.source_identity,
            assumed_by: new.assumed_by,
            region: new.region,
            expires: new.issued + new.duration,
        });
        let entry = Entry {
            session: Arc::clone(&session),
            partition: role.partition.to_owned(),
            secret: BASE64_STANDARD.encode(secret).into(),
            token: format!("EMU{}", BASE64_STANDARD.encode(token.as_bytes())).into(),
            state: SessionState::Active,
        };
        let issued = Issued {
            session,
            secret_access_key: entry.secret.clone(),
            session_token: entry.token.clone(),
        };
        self.held().put(entry);
        issued
    }

    /// The session with an access key id.
    pub(super) fn signer(&self, access_key_id: &str) -> Option<Signer> {
        let held = self.held();
        let entry = held.sessions.get(held.by_key.get(access_key_id)?)?;
        Some(Signer {
            caller: Caller {
                access_key_id: access_key_id.to_owned(),
                account: entry.session.account.clone(),
                partition: entry.partition.clone(),
                session: Some(Arc::clone(&entry.session)),
            },
            keys: Some(Keys {
                secret: entry.secret.clone(),
                token: Some(entry.token.clone()),
            }),
            state: entry.state,
        })
    }

    /// All sessions with their states at `now`, in the order in which they were issued.
    pub(crate) fn list(&self, now: SystemTime) -> Vec<(RoleSession, SessionState)> {
        let held = self.held();
        let sessions = held.sessions.values();
        sessions
            .map(|entry| {
                (
                    RoleSession::clone(&entry.session),
                    entry.session.state_at(now, entry.state),
                )
            })
            .collect()
    }

    /// Sets the state of all sessions of a role so far. Returns how many there are.
    pub(crate) fn set_state(&self, role_arn: &str, state: SessionState) -> usize {
        let mut held = self.held();
        let entries = held.sessions.values_mut();
        let of_role = entries.filter(|entry| entry.session.role_arn == role_arn);
        of_role.map(|entry| entry.state = state).count()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A poisoned lock is safe to use: at worst a session has no key, and is unknown.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoleSession {
    /// The state at `now` of a session that the control API left in `state`.
    pub(crate) fn state_at(&self, now: SystemTime, state: SessionState) -> SessionState {
        if self.expires <= now {
            SessionState::Expired
        } else {
            state
        }
    }
}

impl Held {
    fn put(&mut self, entry: Entry) {
        if self.sessions.len() >= MAX_SESSIONS
            && let Some((_, oldest)) = self.sessions.pop_first()
        {
            self.by_key.remove(&oldest.session.access_key_id);
        }
        self.last += 1;
        self.by_key.insert(entry.session.access_key_id.clone(), self.last);
        self.sessions.insert(self.last, entry);
    }
}

impl Issued {
    /// The four values that a response has.
    pub(crate) fn credentials(&self) -> [(&'static str, String); 4] {
        [
            ("AccessKeyId", self.session.access_key_id.clone()),
            (
                "SecretAccessKey",
                self.secret_access_key.expose_secret().to_owned(),
            ),
            ("SessionToken", self.session_token.expose_secret().to_owned()),
            ("Expiration", shown(self.session.expires)),
        ]
    }
}
