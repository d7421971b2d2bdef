//! What every operation needs of its call, and the checks that several operations make.

use crate::{
    account::{
        arn::{PoolArns, TapeArns},
        barcode::Barcode,
        gateway::Gateway,
        store::{AccountRegion, Region},
        tape::Tape,
    },
    emulator::Inner,
    protocol::{Code, Error},
    settings::Settings,
};

/// The context of one call of an operation.
pub(super) struct Call<'a> {
    /// The account that the credentials belong to, and the region that the signature is scoped to.
    pub(super) at: AccountRegion,
    /// The ARNs of the account's tapes in that region.
    pub(super) arns: TapeArns,
    /// Those of its custom pools there.
    pub(super) pool_arns: PoolArns,
    pub(super) settings: &'a Settings,
    pub(super) emulator: &'a Inner,
}

impl<'a> Call<'a> {
    pub(super) fn new(at: AccountRegion, emulator: &'a Inner) -> Self {
        Self {
            arns: TapeArns::new(&at),
            pool_arns: PoolArns::new(&at),
            at,
            settings: &emulator.settings,
            emulator,
        }
    }

    /// The tape of an ARN, if it is not DELETED.
    pub(super) fn tape<'r>(&self, region: &'r Region, arn: &str) -> Result<(Barcode, &'r Tape), Error> {
        let found = self
            .arns
            .barcode(arn)
            .and_then(|barcode| Some((barcode, region.present(barcode)?)));
        found.ok_or_else(|| self.tape_not_found(arn))
    }

    /// The tape gateway of an ARN.
    pub(super) fn gateway<'r>(&self, region: &'r Region, arn: &str) -> Result<&'r Gateway, Error> {
        let gateway = region.gateway(arn).ok_or_else(|| self.gateway_not_found(arn))?;
        gateway.check_is_tape_gateway()?;
        Ok(gateway)
    }

    /// The tape gateway of an ARN, if it can accept a tape now.
    pub(super) fn ready_gateway<'r>(&self, region: &'r Region, arn: &str) -> Result<&'r Gateway, Error> {
        let gateway = self.gateway(region, arn)?;
        gateway.check_connected()?;
        gateway.check_cache(self.settings)?;
        Ok(gateway)
    }

    pub(super) fn tape_not_found(&self, arn: &str) -> Error {
        Error::gateway(
            Code::TapeCartridgeNotFound,
            format!("No tape {arn} exists for this operation."),
        )
    }

    pub(super) fn gateway_not_found(&self, arn: &str) -> Error {
        let cause = format!(
            "Account {} has no gateway {arn} in {}.",
            self.at.account, self.at.region
        );
        Error::gateway(Code::GatewayNotFound, cause)
    }
}
