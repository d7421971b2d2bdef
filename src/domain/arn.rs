use std::{fmt, str::FromStr, sync::LazyLock};

use regex::Regex;

use super::{AccountId, Barcode, Invalid, Region};

/// The partitions of the service model's pattern for a tape's ARN.
static PARTITION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\Aaws(|-cn|-us-gov|-iso[A-Za-z0-9_-]*|-eusc)\z").expect("the pattern is a constant")
});

/// The model's bounds for an ARN of this service, in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 50..=500;

/// What every ARN of this service begins with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Owner {
    partition: String,
    region: Region,
    account: AccountId,
}

/// The ARN of a gateway: `arn:PARTITION:storagegateway:REGION:ACCOUNT:gateway/ID`.
///
/// The model knows the length alone, 50–500; the parts are needed here to find the
/// region and the account of a call. An id is letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GatewayArn {
    owner: Owner,
    text: String,
}

/// The ARN of a tape: `arn:PARTITION:storagegateway:REGION:ACCOUNT:tape/BARCODE`,
/// by the pattern of the service model, from its first character to its last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TapeArn {
    owner: Owner,
    text: String,
}

impl GatewayArn {
    /// The region that the gateway is in.
    pub fn region(&self) -> &Region {
        &self.owner.region
    }

    /// The account that owns the gateway.
    pub fn account(&self) -> &AccountId {
        &self.owner.account
    }

    /// The ARN as AWS spells it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The ARN that a tape with this barcode has, or would have: it follows from
    /// the gateway's region and account, so that a barcode is unique there.
    pub fn tape(&self, barcode: &Barcode) -> TapeArn {
        let Owner {
            partition,
            region,
            account,
        } = &self.owner;
        TapeArn {
            owner: self.owner.clone(),
            text: format!("arn:{partition}:storagegateway:{region}:{account}:tape/{barcode}"),
        }
    }

    /// Whether a tape's ARN is of this gateway's partition, region and account.
    pub fn shares_owner(&self, tape: &TapeArn) -> bool {
        self.owner == tape.owner
    }
}

impl TapeArn {
    /// The region that the tape is in.
    pub fn region(&self) -> &Region {
        &self.owner.region
    }

    /// The account that owns the tape.
    pub fn account(&self) -> &AccountId {
        &self.owner.account
    }

    /// The ARN as AWS spells it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for GatewayArn {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const SHAPE: &str = "arn:PARTITION:storagegateway:REGION:ACCOUNT:gateway/ID";
        let id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let owner = parse(text, "gateway/", id).ok_or_else(|| {
            let hint = match text {
                "" => "required",
                _ if text.starts_with("sgw-") => "this is a gateway's id",
                _ if text.contains(":tape/") => "this is a tape's ARN",
                _ => {
                    return Invalid::new(format!(
                        "{} is not a gateway's ARN: {SHAPE}",
                        Invalid::quote(text)
                    ));
                }
            };
            Invalid::new(format!("{hint}: give the gateway's ARN, {SHAPE}"))
        })?;
        Ok(Self {
            owner,
            text: text.to_owned(),
        })
    }
}

impl FromStr for TapeArn {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const SHAPE: &str = "arn:PARTITION:storagegateway:REGION:ACCOUNT:tape/BARCODE";
        let owner = parse(text, "tape/", |barcode| barcode.parse::<Barcode>().is_ok()).ok_or_else(|| {
            if text.contains(":gateway/") {
                return Invalid::new(format!(
                    "this is a gateway's ARN, and these are tapes' ARNs, {SHAPE}; \
                     DescribeTapes with gateway_arn shows the tapes of one gateway"
                ));
            }
            if text.parse::<Barcode>().is_ok() {
                return Invalid::new(format!("{text:?} is a barcode: give the tape's ARN, {SHAPE}"));
            }
            Invalid::new(format!("{} is not a tape's ARN: {SHAPE}", Invalid::quote(text)))
        })?;
        Ok(Self {
            owner,
            text: text.to_owned(),
        })
    }
}

/// The owner named by an ARN of this service whose resource is `kind` followed by
/// what `id` accepts.
fn parse(text: &str, kind: &str, id: impl Fn(&str) -> bool) -> Option<Owner> {
    let mut parts = text.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = LENGTH.contains(&text.chars().count())
        && arn == "arn"
        && PARTITION.is_match(partition)
        && service == "storagegateway"
        && id(resource.strip_prefix(kind)?);
    let owner = || {
        Some(Owner {
            partition: partition.to_owned(),
            region: region.parse().ok()?,
            account: account.parse().ok()?,
        })
    };
    whole.then(owner).flatten()
}

impl fmt::Display for GatewayArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for TapeArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
