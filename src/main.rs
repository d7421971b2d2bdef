//! The `tapegate` program.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use tapegate::{
    app::{
        App,
        cli::{self, Command},
        shutdown,
    },
    emulator::Credentials,
    observability::telemetry,
};

fn main() -> ExitCode {
    let command = match cli::parse(env::args_os(), env::vars_os()) {
        Ok(command) => command,
        Err(stop) => return stop.report(),
    };
    let done = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| {
            let done = runtime.block_on(run(command));
            // What goes on after its bound, such as sending to a collector that is away, is left.
            runtime.shutdown_background();
            done
        });
    match done {
        Ok(code) => code,
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

fn report(error: &dyn std::error::Error) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr(), "tapegate: {error}");
}

async fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match command {
        Command::Check(checked) => io::stdout().write_all(checked.document.as_bytes())?,
        Command::Explain(config, call) => {
            return Ok(match call.explain(&config, &mut io::stdout()) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                // An error has another exit code than a denial.
                Err(error) => {
                    report(&error);
                    ExitCode::from(cli::MISUSE)
                }
            });
        }
        Command::Health(check) => check.run().await?,
        Command::NewToken(token) => token.create(&mut io::stdout(), &mut io::stderr())?,
        Command::Serve(checked) => {
            let config = &checked.config;
            let telemetry = telemetry::start(&config.log, Some(&config.otlp), io::stderr)?;
            let ran = run_app(App::serve(*checked, None).await?, |_| String::new()).await;
            telemetry.finish().await;
            ran?;
        }
        Command::Emulator(settings) => {
            telemetry::start(&settings.log, None, io::stderr)?;
            let judged = judged(&settings.emulator.settings.credentials);
            let more = |app: &App| format!("{judged}\n{}", state_line(app));
            run_app(App::emulator(&settings).await?, more).await?;
        }
        Command::Dev(dev) => {
            let config = &dev.service.config;
            let telemetry = telemetry::start(&config.log, Some(&config.otlp), io::stderr)?;
            let ran = run_app(App::dev(*dev).await?, |app| try_this(app) + &state_line(app)).await;
            telemetry.finish().await;
            ran?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Says where the app listens, then what else is to be said, and runs it.
async fn run_app(app: App, more: impl Fn(&App) -> String) -> Result<(), Box<dyn std::error::Error>> {
    let stop = shutdown::requested()?;
    let (addresses, more) = (app.addresses(), more(&app));
    // A reader that has gone is no reason not to serve.
    let _ = write!(io::stdout(), "{addresses}\n{more}").and_then(|()| io::stdout().flush());
    Ok(app.run(stop).await?)
}

/// Says what the emulator judges of a signature.
fn judged(credentials: &[Credentials]) -> String {
    let with_token = credentials.iter().filter(|one| one.session_token.is_some());
    match (credentials.len(), with_token.count()) {
        (0, _) => {
            "no access key is configured: of signatures only form, scope and date are judged".to_owned()
        }
        (1, 0) => "signatures are verified against the configured access key".to_owned(),
        (keys, tokens) => format!(
            "signatures are verified against the configured access keys: {keys}, {tokens} of them with a \
             session token"
        ),
    }
}

/// Where the emulator's state is kept, if it is.
fn state_line(app: &App) -> String {
    app.state_file()
        .map(|file| format!("{file}\n"))
        .unwrap_or_default()
}

fn try_this(app: &App) -> String {
    let grpc = app
        .addresses()
        .grpc
        .map(|address| address.to_string())
        .unwrap_or_default();
    format!("try: grpcurl -plaintext -d '{{\"max_items\": 3}}' {grpc} tapegate.v1.TapeService/ListTapes\n")
}
