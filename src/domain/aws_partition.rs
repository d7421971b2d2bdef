use std::{fmt, str::FromStr};

use super::{Invalid, Region};

/// A partition of AWS: a group of regions with accounts, credentials and endpoints of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AwsPartition {
    /// The commercial regions.
    Aws,
    /// China.
    China,
    /// AWS GovCloud (US).
    UsGov,
    /// US Top Secret.
    Iso,
    /// US Secret.
    IsoB,
    /// Europe, isolated.
    IsoE,
    /// US, isolated, for intelligence services.
    IsoF,
    /// The European Sovereign Cloud.
    EuSovereign,
}

impl AwsPartition {
    /// All partitions, each with its name in ARNs and what the names of its regions begin with
    /// (partitions.json of the AWS SDKs).
    const ALL: [(Self, &str, &str); 8] = [
        (Self::China, "aws-cn", "cn-"),
        (Self::UsGov, "aws-us-gov", "us-gov-"),
        (Self::Iso, "aws-iso", "us-iso-"),
        (Self::IsoB, "aws-iso-b", "us-isob-"),
        (Self::IsoE, "aws-iso-e", "eu-isoe-"),
        (Self::IsoF, "aws-iso-f", "us-isof-"),
        (Self::EuSovereign, "aws-eusc", "eusc-"),
        (Self::Aws, "aws", ""),
    ];

    /// The partition of a region. One whose name no other partition has belongs to the commercial
    /// regions.
    pub fn of(region: &Region) -> Self {
        let found = Self::ALL
            .iter()
            .find(|(_, _, prefix)| region.as_str().starts_with(prefix));
        found.map_or(Self::Aws, |(partition, ..)| *partition)
    }

    /// The name in ARNs.
    pub fn as_str(self) -> &'static str {
        let found = Self::ALL.iter().find(|(partition, ..)| *partition == self);
        found.map_or("aws", |(_, name, _)| name)
    }
}

impl FromStr for AwsPartition {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.iter().find(|(_, name, _)| *name == text);
        found.map(|(partition, ..)| *partition).ok_or_else(|| {
            let quoted = Invalid::quote(text);
            let mut names = Self::ALL.map(|(_, name, _)| name);
            names.sort_unstable();
            Invalid::new(format!(
                "{quoted} is not a partition of AWS; use one of {}",
                names.join(", ")
            ))
        })
    }
}

impl fmt::Display for AwsPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    #[test]
    fn the_name_of_a_region_tells_its_partition() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("eu-central-2", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let found = AwsPartition::of(&region.parse().unwrap());
            assert_eq!(found.as_str(), partition, "{region}");
            assert_eq!(partition.parse::<AwsPartition>().unwrap(), found);
        }
    }
}
