use std::{fmt, str::FromStr, sync::LazyLock};

use regex::Regex;

use super::{AccountId, AwsPartition, Barcode, Invalid, Region};

/// The partitions of the service model's pattern for a tape's ARN.
static PARTITION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\Aaws(|-cn|-us-gov|-iso[A-Za-z0-9_-]*|-eusc)\z").expect("the pattern is a constant")
});

/// The service model's limits for an ARN of Storage Gateway, in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 50..=500;

/// The part that all ARNs of Storage Gateway begin with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Owner {
    partition: String,
    region: Region,
    account: AccountId,
}

impl Owner {
    /// Rejects a region of another partition, whose account AWS would not find.
    fn check(&self) -> Result<(), Invalid> {
        let is_of = AwsPartition::of(&self.region);
        match self.partition.parse::<AwsPartition>() {
            Ok(partition) if partition != is_of => Err(Invalid::new(format!(
                "region {} is in partition {is_of}, not in {partition}",
                self.region
            ))),
            _ => Ok(()),
        }
    }
}

/// The ARN of a gateway: `arn:PARTITION:storagegateway:REGION:ACCOUNT:gateway/ID`.
///
/// The service model restricts the length alone, 50–500. Here the parts are needed for the region
/// and the account of a call. Gateways that were activated before 2 September 2015 have their name in
/// place of an ID, so every character that AWS allows in a name is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GatewayArn {
    owner: Owner,
    text: String,
}

/// The ARN of a tape: `arn:PARTITION:storagegateway:REGION:ACCOUNT:tape/BARCODE`. The whole text
/// matches the pattern of the service model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TapeArn {
    owner: Owner,
    text: String,
}

impl GatewayArn {
    /// The region of the gateway.
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

    /// The ARN of a tape with this barcode, whether it exists or not. It follows from the region and
    /// account of the gateway, in which a barcode is unique.
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

    /// The barcode in this ARN, if it is the ARN of a tape with the partition, region and account of this
    /// gateway.
    pub fn barcode_of<'a>(&self, tape_arn: &'a str) -> Option<&'a str> {
        let Owner {
            partition,
            region,
            account,
        } = &self.owner;
        tape_arn.strip_prefix(&format!(
            "arn:{partition}:storagegateway:{region}:{account}:tape/"
        ))
    }

    /// Whether a tape's ARN has the partition, region and account of this gateway.
    pub fn shares_owner(&self, tape: &TapeArn) -> bool {
        self.owner == tape.owner
    }
}

impl TapeArn {
    /// The region of the tape.
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
        let owner = parse(text, "gateway/", is_gateway_name).ok_or_else(|| {
            let quoted = Invalid::quote(text);
            Invalid::new(match text {
                "" => format!("required: the ARN of a gateway, {SHAPE}"),
                _ if text.starts_with("sgw-") => {
                    format!("{quoted} is the ID of a gateway; use its ARN, {SHAPE}")
                }
                _ if text.contains(":tape/") => {
                    format!("{quoted} is the ARN of a tape; use the ARN of a gateway, {SHAPE}")
                }
                _ => format!("{quoted} is not the ARN of a gateway; use {SHAPE}"),
            })
        })?;
        owner.check()?;
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
            let quoted = Invalid::quote(text);
            Invalid::new(match text {
                _ if text.contains(":gateway/") => format!(
                    "this is the ARN of a gateway; use the ARN of a tape, {SHAPE}, \
                     or call DescribeTapes with gateway_arn for the tapes of one gateway"
                ),
                _ if text.parse::<Barcode>().is_ok() => {
                    format!("{quoted} is a barcode; use the ARN of the tape, {SHAPE}")
                }
                _ => format!("{quoted} is not the ARN of a tape; use {SHAPE}"),
            })
        })?;
        owner.check()?;
        Ok(Self {
            owner,
            text: text.to_owned(),
        })
    }
}

/// Whether AWS allows this as the name of a gateway: printable ASCII characters but slashes, and not
/// only spaces (the pattern of `GatewayName` in the service model).
fn is_gateway_name(name: &str) -> bool {
    let is_allowed = |b: u8| (b' '..=b'~').contains(&b) && b != b'/' && b != b'\\';
    name.bytes().all(is_allowed) && name.bytes().any(|b| b != b' ')
}

/// The owner in an ARN of Storage Gateway whose resource is `kind` and an ID that `id` accepts.
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

impl From<TapeArn> for String {
    fn from(tape: TapeArn) -> Self {
        tape.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_valid(name: &str) -> bool {
        format!("arn:aws:storagegateway:us-east-1:123456789012:gateway/{name}")
            .parse::<GatewayArn>()
            .is_ok()
    }

    #[test]
    fn a_gateway_has_an_id_or_an_old_name() {
        for name in [
            "sgw-12A3456B",
            "My_Gateway",
            "gw.berlin",
            "a b",
            "x:y",
            "~!@#$%^&*()[]{}",
        ] {
            assert!(is_valid(name), "{name:?}");
        }
        for name in ["", " ", "a/b", "a\\b", "caf\u{e9}", "a\nb", "a\u{7f}"] {
            assert!(!is_valid(name), "{name:?}");
        }
    }
}
