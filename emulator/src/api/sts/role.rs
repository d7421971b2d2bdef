//! Sessions of roles.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::{error::Error, shapes};
use crate::{
    account::creation::Tag,
    api::{
        signature::Signed,
        validation::{self, Members},
    },
    emulator::Inner,
    identity::sessions::{Issued, NewSession},
    protocol::query::Elements,
    settings::{RoleArn, partition},
};

const HOUR: Duration = Duration::from_secs(3_600);
const MAX_TAGS: usize = 50;
const MAX_POLICY_ARNS: usize = 10;

/// What both operations that assume a role are asked.
pub(super) struct Assumption {
    pub(super) role_arn: String,
    pub(super) session_name: String,
    duration: Option<i32>,
    policy: Option<String>,
    policy_arns: Vec<String>,
}

impl Assumption {
    pub(super) fn read(members: &mut Members<'_>) -> Self {
        Self {
            role_arn: members.required("RoleArn", &shapes::ROLE_ARN),
            session_name: members.required("RoleSessionName", &shapes::SESSION_NAME),
            duration: members.optional("DurationSeconds", &shapes::DURATION),
            policy: members.optional("Policy", &shapes::POLICY),
            policy_arns: members
                .optional("PolicyArns", &shapes::POLICY_ARNS)
                .unwrap_or_default(),
        }
    }

    /// The parts of the role's ARN, after the checks that need no state. Policies are checked for
    /// their form, and have no effect.
    pub(super) fn check(&self) -> Result<RoleArn<'_>, Error> {
        let is_policy = |policy: &String| {
            let policy: Option<Value> = serde_json::from_str(policy).ok();
            policy.is_some_and(|policy| policy.get("Statement").is_some())
        };
        if !self.policy.as_ref().is_none_or(is_policy) {
            let message = "The policy is not a JSON object with a Statement.";
            let code = "MalformedPolicyDocument";
            return Err(Error::new(StatusCode::BAD_REQUEST, code, message));
        }
        if self.policy_arns.len() > MAX_POLICY_ARNS {
            let message = format!("A session has at most {MAX_POLICY_ARNS} managed policies.");
            return Err(Error::validation(message));
        }
        RoleArn::parse(&self.role_arn)
            .ok_or_else(|| Error::validation(format!("{} is invalid", self.role_arn)))
    }

    /// The duration of the session, which may be at most `max`.
    pub(super) fn duration(&self, max: Duration) -> Result<Duration, Error> {
        let asked = self.duration.map(|seconds| u64::try_from(seconds).unwrap_or(0));
        let duration = asked.map_or(HOUR, Duration::from_secs);
        if duration > max {
            return Err(Error::validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        Ok(duration)
    }
}

struct AssumeRole {
    assumption: Assumption,
    external_id: Option<String>,
    tags: Vec<Tag>,
    transitive_tag_keys: Vec<String>,
    source_identity: Option<String>,
}

impl AssumeRole {
    fn read(members: &mut Members<'_>) -> Self {
        // There is no MFA: a code is accepted, and has no effect.
        members.optional("SerialNumber", &shapes::SERIAL_NUMBER);
        members.optional("TokenCode", &shapes::TOKEN_CODE);
        Self {
            assumption: Assumption::read(members),
            external_id: members.optional("ExternalId", &shapes::EXTERNAL_ID),
            tags: members.optional("Tags", &shapes::TAGS).unwrap_or_default(),
            transitive_tag_keys: members
                .optional("TransitiveTagKeys", &shapes::TAG_KEYS)
                .unwrap_or_default(),
            source_identity: members.optional("SourceIdentity", &shapes::SOURCE_IDENTITY),
        }
    }

    fn check_tags(&self) -> Result<(), Error> {
        if self.tags.len() > MAX_TAGS {
            let message = format!("A session has at most {MAX_TAGS} tags.");
            return Err(Error::validation(message));
        }
        let lower: BTreeSet<String> = self.tags.iter().map(|tag| tag.key.to_lowercase()).collect();
        if lower.len() < self.tags.len() {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(Error::validation(message));
        }
        if lower.iter().any(|key| key.starts_with("aws:")) {
            return Err(Error::validation("The key of a tag cannot begin with aws:."));
        }
        let is_sent = |key: &String| lower.contains(&key.to_lowercase());
        if !self.transitive_tag_keys.iter().all(is_sent) {
            let message = "The specified transitive tag key must be included in the requested tags.";
            return Err(Error::validation(message));
        }
        Ok(())
    }
}

/// Answers `AssumeRole` of a signed caller.
pub(super) fn assume(
    members: Map<String, Value>,
    signed: &Signed,
    emulator: &Inner,
    now: SystemTime,
) -> Result<Elements, Error> {
    let request = validation::read_members(members, AssumeRole::read)?;
    let assumption = &request.assumption;
    let role = assumption.check()?;
    request.check_tags()?;

    let caller = &signed.caller;
    let denied = || {
        let (caller, role_arn) = (caller.arn(), &assumption.role_arn);
        let action = "is not authorized to perform: sts:AssumeRole on resource";
        Error::access_denied(format!("User: {caller} {action}: {role_arn}"))
    };
    let is_here = role.partition == partition(&signed.region) && emulator.settings.has_role_account(&role);
    let max = emulator.identities.roles.max_session(
        &assumption.role_arn,
        &assumption.session_name,
        Some(&caller.account),
        request.external_id.as_deref(),
    );
    let max = max.filter(|_| is_here).ok_or_else(denied)?;
    let duration = assumption.duration(max)?;
    let mut tags: BTreeMap<String, String> =
        request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let mut transitive_tag_keys = request.transitive_tag_keys;
    let mut source_identity = request.source_identity;
    if let Some(session) = &caller.session {
        if duration > HOUR {
            return Err(Error::validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role \
                 chaining.",
            ));
        }
        for key in &session.transitive_tag_keys {
            let Some(value) = session.tags.get(key) else {
                continue;
            };
            if tags.keys().any(|sent| sent.eq_ignore_ascii_case(key)) {
                let message = format!("The tag {key} is transitive, so that it cannot be set again.");
                return Err(Error::validation(message));
            }
            tags.insert(key.clone(), value.clone());
            transitive_tag_keys.push(key.clone());
        }
        if let Some(inherited) = &session.source_identity
            && *source_identity.get_or_insert_with(|| inherited.clone()) != *inherited
        {
            return Err(denied());
        }
    }
    let issued = emulator.identities.sessions.issue(
        NewSession {
            role_arn: &assumption.role_arn,
            session_name: assumption.session_name.clone(),
            tags,
            transitive_tag_keys,
            source_identity,
            assumed_by: caller.arn(),
            region: Some(signed.region.clone()),
            issued: now,
            duration,
        },
        &role,
    );
    Ok(elements(&issued))
}

/// What the responses of both operations begin with.
pub(super) fn elements(issued: &Issued) -> Elements {
    let user = Elements::default()
        .text("AssumedRoleId", &issued.session.assumed_role_id())
        .text("Arn", &issued.session.arn);
    let credentials = issued.credentials().into_iter();
    let credentials = credentials.fold(Elements::default(), |elements, (name, value)| {
        elements.text(name, &value)
    });
    Elements::default()
        .node("AssumedRoleUser", &user)
        .node("Credentials", &credentials)
        .optional("SourceIdentity", issued.session.source_identity.as_deref())
}
