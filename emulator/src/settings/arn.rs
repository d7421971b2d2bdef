use super::form::{AccountId, Text as _};

/// The partitions of AWS.
const PARTITIONS: [&str; 8] = [
    "aws",
    "aws-cn",
    "aws-us-gov",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
    "aws-eusc",
];

/// The partition that a region is in, by the beginning of its name.
pub(crate) fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("us-isof-") => "aws-iso-f",
        _ if region.starts_with("eu-isoe-") => "aws-iso-e",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

/// The parts of the ARN of an IAM role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleArn<'a> {
    pub(crate) partition: &'a str,
    /// 12 digits.
    pub(crate) account: &'a str,
    /// Without the path of the role.
    pub(crate) name: &'a str,
}

impl<'a> RoleArn<'a> {
    /// Which texts are valid.
    pub(crate) const TAKES: &'static str =
        "the ARN of an IAM role, such as arn:aws:iam::123456789012:role/Tapes";

    /// The parts of `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`; `None` for any other text.
    pub(crate) fn parse(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else {
            return None;
        };
        let (_, name) = resource.strip_prefix("role")?.rsplit_once('/')?;
        let is_letter = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        let is_path = |c: char| c.is_ascii_graphic();
        let is_role = PARTITIONS.contains(&partition)
            && AccountId::parse(account).is_some()
            && resource.starts_with("role/")
            && resource.len() <= 512 + "role".len() + 64
            && resource.chars().all(is_path)
            && (1..=64).contains(&name.len())
            && name.chars().all(is_letter);
        is_role.then_some(Self {
            partition,
            account,
            name,
        })
    }
}
