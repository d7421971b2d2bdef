use std::{fmt, str::FromStr, sync::LazyLock};

use regex::Regex;

use super::{AccountId, AwsPartition, Invalid};

/// The path and the name of a role, with the limits of IAM: 512 and 64 characters.
static PATH_AND_NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A(?:[!-.0-~]{1,510}/)*[A-Za-z0-9_+=,.@-]{1,64}\z").expect("the pattern is a constant")
});

/// The ARN of an IAM role: `arn:PARTITION:iam::ACCOUNT:role/NAME`, where the name may have a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleArn {
    partition: AwsPartition,
    account: AccountId,
    text: String,
}

impl RoleArn {
    /// The partition of the account.
    pub fn partition(&self) -> AwsPartition {
        self.partition
    }

    /// The account that the role belongs to.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The ARN as AWS spells it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for RoleArn {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let owner = || {
            let mut parts = text.splitn(6, ':');
            let ("arn", partition, "iam", "", account) = (
                parts.next()?,
                parts.next()?,
                parts.next()?,
                parts.next()?,
                parts.next()?,
            ) else {
                return None;
            };
            let resource = parts.next()?.strip_prefix("role/")?;
            let is_role = resource.len() <= 512 + 64 && PATH_AND_NAME.is_match(resource);
            let owner = (partition.parse().ok()?, account.parse().ok()?);
            is_role.then_some(owner)
        };
        let (partition, account) = owner().ok_or_else(|| {
            Invalid::new(format!(
                "{} is not the ARN of an IAM role; use arn:PARTITION:iam::ACCOUNT:role/NAME",
                Invalid::quote(text)
            ))
        })?;
        Ok(Self {
            partition,
            account,
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    #[test]
    fn a_role_has_a_partition_an_account_and_a_name() {
        let role: RoleArn = "arn:aws-cn:iam::123456789012:role/backup/tapegate"
            .parse()
            .unwrap();
        assert_eq!(role.partition(), AwsPartition::China);
        assert_eq!(role.account().as_str(), "123456789012");
        for wrong in [
            "",
            "tapegate",
            "arn:aws:iam::123456789012:user/tapegate",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam:us-east-1:123456789012:role/tapegate",
            "arn:aws:iam::12345:role/tapegate",
            "arn:azure:iam::123456789012:role/tapegate",
            "arn:aws:sts::123456789012:assumed-role/tapegate/session",
            "arn:aws:iam::123456789012:role/tape gate",
        ] {
            assert!(wrong.parse::<RoleArn>().is_err(), "{wrong}");
        }
    }
}
