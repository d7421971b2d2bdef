use std::{collections::HashMap, sync::Arc};

use super::{Created, Parse, Rules, tape::pool_fields};
use crate::{
    domain::{
        Barcode, BarcodePrefix, ClientToken, CreateTapeWithBarcode, CreateTapes, CreatedTape, CreatedTapes,
        Encryption, Invalid, KmsKey, MAX_TAGS, NewTape, Pool, StorageClass, Tag, TagKey, TagValue, TapeSize,
    },
    grpc::{proto, violations::Violations},
};

/// The most tapes that one CreateTapes creates (service model).
const MAX_TAPES: u8 = 10;

impl Parse for proto::CreateTapeWithBarcodeRequest {
    type Operation = CreateTapeWithBarcode;

    fn parse(self, rules: &Rules) -> Result<CreateTapeWithBarcode, Violations> {
        use proto::create_tape_with_barcode_request::Pool as Choice;
        let Self {
            gateway_arn,
            tape_size_in_bytes,
            tape_barcode,
            kms_encrypted,
            kms_key,
            pool,
            worm,
            tags,
        } = self;
        let pool = pool.map(|choice| match choice {
            Choice::PoolId(number) => PoolChoice::Listed(number),
            Choice::CustomPoolId(id) => PoolChoice::Custom(id),
        });
        let mut violations = Violations::default();
        let common = CommonFields {
            gateway_arn,
            tape_size_in_bytes,
            kms_encrypted,
            kms_key,
            pool,
            worm,
            tags,
        };
        let tape = common.check(rules, &mut violations);
        let barcode: Option<Barcode> = violations.take("tape_barcode", tape_barcode.parse());
        violations.into_result(
            tape.zip(barcode)
                .map(|(tape, barcode)| CreateTapeWithBarcode { barcode, tape }),
        )
    }
}

impl Parse for proto::CreateTapesRequest {
    type Operation = CreateTapes;

    fn parse(self, rules: &Rules) -> Result<CreateTapes, Violations> {
        use proto::create_tapes_request::Pool as Choice;
        let Self {
            gateway_arn,
            tape_size_in_bytes,
            client_token,
            num_tapes_to_create,
            tape_barcode_prefix,
            kms_encrypted,
            kms_key,
            pool,
            worm,
            tags,
        } = self;
        let pool = pool.map(|choice| match choice {
            Choice::PoolId(number) => PoolChoice::Listed(number),
            Choice::CustomPoolId(id) => PoolChoice::Custom(id),
        });
        let mut violations = Violations::default();
        let common = CommonFields {
            gateway_arn,
            tape_size_in_bytes,
            kms_encrypted,
            kms_key,
            pool,
            worm,
            tags,
        };
        let tape = common.check(rules, &mut violations);
        let client_token: Option<ClientToken> = violations.take("client_token", client_token.parse());
        let count = violations.take("num_tapes_to_create", count(num_tapes_to_create));
        let prefix: Option<BarcodePrefix> =
            violations.take("tape_barcode_prefix", tape_barcode_prefix.parse());
        let built =
            tape.zip(client_token)
                .zip(count.zip(prefix))
                .map(|((tape, client_token), (count, prefix))| CreateTapes {
                    client_token,
                    count,
                    prefix,
                    tape,
                });
        violations.into_result(built)
    }
}

/// The fields that both requests have; the generated types do not share them.
struct CommonFields {
    gateway_arn: String,
    tape_size_in_bytes: i64,
    kms_encrypted: Option<bool>,
    kms_key: Option<String>,
    pool: Option<PoolChoice>,
    worm: Option<bool>,
    tags: Vec<proto::Tag>,
}

enum PoolChoice {
    Listed(i32),
    Custom(String),
}

impl CommonFields {
    fn check(self, rules: &Rules, violations: &mut Violations) -> Option<NewTape> {
        let gateway = rules.gateway(&self.gateway_arn, violations);
        let size = violations.take(
            "tape_size_in_bytes",
            TapeSize::new(self.tape_size_in_bytes, &rules.tape_sizes),
        );
        let encryption = encryption(self.kms_encrypted, self.kms_key, violations);
        let pool = pool(self.pool, rules.require_pool, violations);
        let tags = tags(self.tags, violations);
        Some(NewTape {
            gateway: gateway?,
            size: size?,
            encryption: encryption?,
            pool: pool?,
            worm: self.worm,
            tags,
        })
    }
}

fn count(count: i32) -> Result<u8, Invalid> {
    match u8::try_from(count) {
        Ok(count @ 1..=MAX_TAPES) => Ok(count),
        _ if count > i32::from(MAX_TAPES) => Err(Invalid::new(format!(
            "{count} tapes exceed the limit of one call, {MAX_TAPES}; make several calls, each with its own client_token"
        ))),
        _ => Err(Invalid::new(format!(
            "{count} is not a valid number of tapes; use 1–{MAX_TAPES}"
        ))),
    }
}

fn encryption(
    encrypted: Option<bool>,
    key: Option<String>,
    violations: &mut Violations,
) -> Option<Encryption> {
    let key = key.map(|key| {
        let parsed = violations.take("kms_key", key.parse());
        // An invalid key is also checked against kms_encrypted.
        parsed.unwrap_or_else(|| KmsKey::reported(key))
    });
    violations.take("kms_key", Encryption::new(encrypted, key))
}

/// The pool of a create, which is optional unless the operator requires one.
fn pool(choice: Option<PoolChoice>, is_required: bool, violations: &mut Violations) -> Option<Option<Pool>> {
    Some(match choice {
        None if is_required => {
            violations.push(
                "pool_id",
                "required by the operator of this service (setting require_pool): POOL_ID_GLACIER or \
                 POOL_ID_DEEP_ARCHIVE, or custom_pool_id with the ID of a custom pool, such as pool-12345678",
            );
            return None;
        }
        None => None,
        Some(PoolChoice::Custom(id)) if is_required && id == proto::PoolId::Unspecified.as_str_name() => {
            violations.push("custom_pool_id", UNSPECIFIED_BUT_REQUIRED);
            return None;
        }
        Some(PoolChoice::Custom(id)) => Some(violations.take("custom_pool_id", id.parse())?),
        Some(PoolChoice::Listed(number)) => {
            Some(violations.take("pool_id", listed_pool(number, is_required))?)
        }
    })
}

const UNSPECIFIED_BUT_REQUIRED: &str = "POOL_ID_UNSPECIFIED names no pool, and the operator of this service requires one (setting require_pool); use \
     POOL_ID_GLACIER, POOL_ID_DEEP_ARCHIVE or a custom_pool_id";

fn listed_pool(number: i32, is_required: bool) -> Result<Pool, Invalid> {
    match proto::PoolId::try_from(number) {
        Ok(proto::PoolId::Glacier) => Ok(StorageClass::Glacier.into()),
        Ok(proto::PoolId::DeepArchive) => Ok(StorageClass::DeepArchive.into()),
        Ok(proto::PoolId::Unspecified) if is_required => Err(Invalid::new(UNSPECIFIED_BUT_REQUIRED)),
        Ok(proto::PoolId::Unspecified) => Err(Invalid::new(
            "POOL_ID_UNSPECIFIED names no pool; use POOL_ID_GLACIER, POOL_ID_DEEP_ARCHIVE or a custom_pool_id, \
             or leave the pool unset to let AWS choose",
        )),
        Err(_) => Err(Invalid::new(format!(
            "{number} is not a PoolId that this version knows; for a newer storage class, set custom_pool_id to its name"
        ))),
    }
}

fn tags(tags: Vec<proto::Tag>, violations: &mut Violations) -> Arc<[Tag]> {
    if tags.len() > MAX_TAGS {
        violations.push(
            "tags",
            format!("{} tags exceed the limit of {MAX_TAGS}; send fewer", tags.len()),
        );
        return Arc::default();
    }
    let mut first_with: HashMap<String, usize> = HashMap::new();
    let mut valid = Vec::with_capacity(tags.len());
    for (index, proto::Tag { key, value }) in tags.into_iter().enumerate() {
        let checked_key = violations.take(format!("tags[{index}].key"), TagKey::new(&key));
        let checked_value = violations.take(format!("tags[{index}].value"), TagValue::new(&value));
        if let Some(first) = first_with.get(&key) {
            let why = format!(
                "{} is also the key of tags[{first}]; keys must be unique",
                Invalid::quote(&key)
            );
            violations.push(format!("tags[{index}].key"), why);
        } else {
            first_with.insert(key, index);
        }
        valid.extend(
            checked_key
                .zip(checked_value)
                .map(|(key, value)| Tag { key, value }),
        );
    }
    valid.into()
}

impl From<&Tag> for proto::Tag {
    fn from(Tag { key, value }: &Tag) -> Self {
        Self {
            key: key.as_str().to_owned(),
            value: value.as_str().to_owned(),
        }
    }
}

impl From<Created<CreateTapeWithBarcode>> for proto::CreateTapeWithBarcodeResponse {
    fn from(created: Created<CreateTapeWithBarcode>) -> Self {
        let Created { operation, output } = created;
        let CreatedTape {
            tape_arn,
            unconfirmed_tags,
        } = output;
        let (pool_id, pool_id_text) = pool_fields(operation.tape.pool);
        Self {
            tape_arn,
            pool_id,
            pool_id_text,
            unconfirmed_tags: unconfirmed_tags.iter().map(proto::Tag::from).collect(),
        }
    }
}

impl From<Created<CreateTapes>> for proto::CreateTapesResponse {
    fn from(created: Created<CreateTapes>) -> Self {
        let Created { operation, output } = created;
        let CreatedTapes { tape_arns } = output;
        let (pool_id, pool_id_text) = pool_fields(operation.tape.pool);
        Self {
            tape_arns,
            pool_id,
            pool_id_text,
        }
    }
}
