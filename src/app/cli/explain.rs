//! `tapegate check --as NAME`: explains a decision of the policies.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::{
    access::policy::{AuthorizationRequest, PolicyDecision, PolicyEngine, TapeView},
    app::settings::Config,
    call::Caller,
    domain::{
        AccountId, CreateTapeWithBarcode, CreateTapes, DescribeTapeArchives, DescribeTapes, Encryption,
        GatewayArn, Invalid, ListTapes, NewTape, Operation, PageRequest, Pool, Principal, Proof, Region,
        Scope, TapeArn, TapeSize,
    },
};

const AS: &str = "as";
const ACTIONS: [&str; 6] = [
    CreateTapes::NAME,
    CreateTapeWithBarcode::NAME,
    DescribeTapes::NAME,
    ListTapes::NAME,
    DescribeTapeArchives::NAME,
    "ReadTape",
];

/// Adds the flags that describe the call whose decision is explained.
pub(super) fn arguments(command: Command) -> Command {
    const HEADING: &str = "explain a decision";
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(help)
            .help_heading(HEADING)
            .requires(AS)
    };
    let only = |arg: Arg| arg.requires(AS);
    command
        .arg(
            Arg::new(AS)
                .long(AS)
                .value_name("NAME")
                .requires("action")
                .help_heading(HEADING)
                .help("Explain what the policies decide for the principal of this name. Exits with 0 if the call is allowed, 1 if it is denied, and 2 if this cannot be determined"),
        )
        .arg(text("group", "GROUP", "A group of the principal; can be repeated").action(ArgAction::Append))
        .arg(
            text("tag", "NAME=VALUE", "A tag of the principal: a capture of a pattern in auth.certificate; can be repeated")
                .action(ArgAction::Append)
                .value_parser(tag),
        )
        .arg(text("action", "ACTION", "The action of the call").value_parser(ACTIONS))
        .arg(text("gateway", "ARN", "The gateway of the call, or of the tape to read"))
        .arg(text("pool", "POOL", "The pool of the tapes to create, or of the tape to read"))
        .arg(text("size-gib", "GIB", "The size of each tape to create. Default: the setting tapes.min_size_gib").value_parser(value_parser!(i64)))
        .arg(text("tapes", "COUNT", "The number of tapes to create. Default: 1").value_parser(value_parser!(u8).range(1..=10)))
        .arg(text("barcode", "BARCODE", "The barcode of the tape to create, or to read. Default: EXAMPLE, or the end of --tape"))
        .arg(text("prefix", "PREFIX", "The barcode prefix of the tapes to create. Default: EX"))
        .arg(text("kms-key", "KEY", "The KMS key of the tapes to create"))
        .arg(only(Arg::new("worm").long("worm").help("The tapes to create are WORM tapes").help_heading(HEADING).action(ArgAction::SetTrue)))
        .arg(text("tape", "ARN", "The tape to read"))
        .arg(text("status", "STATUS", "The status of the tape to read, such as ARCHIVED"))
        .arg(text("address", "IP", "The address of the caller. Default: 127.0.0.1").value_parser(value_parser!(IpAddr)))
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected NAME=VALUE, such as site=berlin")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A hypothetical call whose decision is explained.
#[derive(Clone, Debug)]
pub struct HypotheticalCall {
    caller: Caller,
    action: String,
    gateway: Option<String>,
    pool: Option<String>,
    size_gib: Option<i64>,
    tapes: u8,
    barcode: Option<String>,
    prefix: String,
    kms_key: Option<String>,
    worm: bool,
    tape: Option<String>,
    status: Option<String>,
}

/// Why a decision cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The call is not valid.
    #[error("{flag}: {why}")]
    InvalidCall {
        /// The flag that is invalid or missing.
        flag: &'static str,
        /// Why, and what is valid.
        why: String,
    },
    /// There are no policies.
    #[error(
        "policy.path is not set, so there are no policies to evaluate; set it, for example by --policy-path"
    )]
    NoPolicies,
    /// The policies cannot be read.
    #[error("{}", .0.join("\n"))]
    Policies(Vec<String>),
    /// The explanation cannot be written.
    #[error("{0}")]
    NotWritten(#[from] io::Error),
}

impl HypotheticalCall {
    /// The call that the flags describe; `None` without `--as`.
    pub(super) fn read(matches: &ArgMatches) -> Result<Option<Self>, ExplainError> {
        let text = |name| matches.get_one::<String>(name).cloned();
        let (Some(name), Some(action)) = (text(AS), text("action")) else {
            return Ok(None);
        };
        let groups = matches.get_many::<String>("group").unwrap_or_default().cloned();
        // Policies do not see how a principal was authenticated.
        let principal =
            Principal::new(name, groups, Proof::Certificate).ok_or_else(|| ExplainError::InvalidCall {
                flag: "--as",
                why: "the name or a group is invalid; expected 1 to 2048 bytes without control characters, and at most 1000 groups".to_owned(),
            })?;
        let tags = matches.get_many::<(String, String)>("tag").unwrap_or_default();
        let principal = principal.with_tags(tags.cloned().collect());
        let address = matches.get_one("address").copied();
        Ok(Some(Self {
            caller: Caller::new(principal, address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))),
            action,
            gateway: text("gateway"),
            pool: text("pool"),
            size_gib: matches.get_one("size-gib").copied(),
            tapes: matches.get_one("tapes").copied().unwrap_or(1),
            barcode: text("barcode"),
            prefix: text("prefix").unwrap_or_else(|| "EX".to_owned()),
            kms_key: text("kms-key"),
            worm: matches.get_flag("worm"),
            tape: text("tape"),
            status: text("status"),
        }))
    }

    /// Writes what the policies decide and why, and returns whether the call is allowed.
    ///
    /// # Errors
    ///
    /// [`ExplainError`].
    pub fn explain(&self, config: &Config, to: &mut impl Write) -> Result<bool, ExplainError> {
        let policy = config.policy.as_ref().ok_or(ExplainError::NoPolicies)?;
        let request = self.request(config, policy.unset_pool.as_str())?;
        let open = |what, path| PolicyEngine::open(what, path).map_err(ExplainError::Policies);
        let engine = open("policy.path", &policy.path)?.load();
        let decision = engine.decide(&request);
        let name = self.caller.principal.name();
        let (action, resource) = (&self.action, request.resource());
        let word = |decision: &PolicyDecision| if decision.is_allowed { "allowed" } else { "denied" };
        writeln!(to, "{}: {name}, {action}, {resource}", word(&decision))?;
        writeln!(to, "  {}", reason(&decision, &engine))?;
        for (attribute, value) in request.attributes() {
            writeln!(to, "  with {attribute} = {value}")?;
        }
        if let Some(trial) = &policy.trial {
            let engine = open("policy.trial", trial)?.load();
            let other = engine.decide(&request);
            writeln!(to, "on trial: {}\n  {}", word(&other), reason(&other, &engine))?;
        }
        Ok(decision.is_allowed)
    }

    fn request(&self, config: &Config, unset_pool: &str) -> Result<AuthorizationRequest, ExplainError> {
        let scope = Scope {
            region: config.rules.region.clone(),
            account: config.rules.account_id.clone(),
        };
        let (tapes, page) = (Arc::new([]), PageRequest::default());
        let caller = &self.caller;
        Ok(match self.action.as_str() {
            CreateTapes::NAME => {
                let create = CreateTapes {
                    client_token: parsed("--action", "explained")?,
                    count: self.tapes,
                    prefix: parsed("--prefix", &self.prefix)?,
                    tape: self.tape(config)?,
                };
                AuthorizationRequest::of(caller, &create, unset_pool)
            }
            CreateTapeWithBarcode::NAME => {
                let create = CreateTapeWithBarcode {
                    barcode: parsed("--barcode", self.barcode.as_deref().unwrap_or("EXAMPLE"))?,
                    tape: self.tape(config)?,
                };
                AuthorizationRequest::of(caller, &create, unset_pool)
            }
            DescribeTapes::NAME => {
                let gateway = self.gateway(config)?;
                AuthorizationRequest::of(caller, &DescribeTapes { gateway, tapes, page }, unset_pool)
            }
            ListTapes::NAME => {
                AuthorizationRequest::of(caller, &ListTapes { scope, tapes, page }, unset_pool)
            }
            DescribeTapeArchives::NAME => {
                AuthorizationRequest::of(caller, &DescribeTapeArchives { scope, tapes, page }, unset_pool)
            }
            _ => {
                let arn = self
                    .tape
                    .as_deref()
                    .ok_or_else(|| invalid("--tape", "is not set; expected the ARN of the tape"))?;
                let tape: TapeArn = parsed("--tape", arn)?;
                let barcode = arn.rsplit('/').next().unwrap_or_default();
                served(config, "--tape", tape.account(), tape.region())?;
                if self.gateway.is_some() {
                    self.gateway(config)?;
                }
                let view = TapeView {
                    arn,
                    barcode: self.barcode.as_deref().unwrap_or(barcode),
                    pool: self.pool.as_deref().unwrap_or_default(),
                    status: self.status.as_deref().unwrap_or_default().into(),
                    gateway: self.gateway.as_deref(),
                };
                AuthorizationRequest::of_tape(caller, Some(tape.account()), tape.region(), &view)
            }
        })
    }

    fn gateway(&self, config: &Config) -> Result<GatewayArn, ExplainError> {
        const FLAG: &str = "--gateway";
        let arn = self.gateway.as_deref();
        let arn = arn.ok_or_else(|| invalid(FLAG, "is not set; expected the ARN of the gateway"))?;
        let gateway: GatewayArn = parsed(FLAG, arn)?;
        served(config, FLAG, gateway.account(), gateway.region())?;
        Ok(gateway)
    }

    fn tape(&self, config: &Config) -> Result<NewTape, ExplainError> {
        let bounds = &config.rules.tape_sizes;
        let size = self
            .size_gib
            .map_or(bounds.min(), |gib| gib.saturating_mul(1 << 30));
        let wrong = |flag| move |reason: Invalid| invalid(flag, &reason.to_string());
        let key = self
            .kms_key
            .as_deref()
            .map(|key| parsed("--kms-key", key))
            .transpose()?;
        Ok(NewTape {
            gateway: self.gateway(config)?,
            size: TapeSize::new(size, bounds).map_err(wrong("--size-gib"))?,
            encryption: Encryption::new(key.is_some().then_some(true), key).map_err(wrong("--kms-key"))?,
            pool: self
                .pool
                .as_deref()
                .map(|pool| parsed::<Pool>("--pool", pool))
                .transpose()?,
            worm: Some(self.worm),
            tags: Arc::new([]),
        })
    }
}

fn reason(decision: &PolicyDecision, engine: &PolicyEngine) -> String {
    match (decision.is_allowed, decision.policies.is_empty()) {
        (true, _) => format!("by {}", decision.policy_names()),
        (false, false) => format!("forbidden by {}", decision.policy_names()),
        (false, true) => format!("none of the {} policies allows it", engine.len()),
    }
}

fn parsed<T: std::str::FromStr<Err = Invalid>>(flag: &'static str, text: &str) -> Result<T, ExplainError> {
    text.parse()
        .map_err(|reason: Invalid| invalid(flag, &reason.to_string()))
}

/// Checks that calls may name a resource of this account and region.
fn served(
    config: &Config,
    flag: &'static str,
    account: &AccountId,
    region: &Region,
) -> Result<(), ExplainError> {
    let unserved = config.rules.unserved(account, region);
    let unserved: Vec<_> = unserved.iter().map(Invalid::to_string).collect();
    match unserved.is_empty() {
        true => Ok(()),
        false => Err(invalid(flag, &unserved.join("; "))),
    }
}

fn invalid(flag: &'static str, why: &str) -> ExplainError {
    ExplainError::InvalidCall {
        flag,
        why: why.to_owned(),
    }
}
