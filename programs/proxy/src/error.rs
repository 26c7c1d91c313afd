//! Why a proxy does not start, or did not end as it should.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use finial_daemon::hcl::HclError;
use finial_daemon::socket::SocketError;
use finial_identity::SpkiPinError;
use finial_receive::{NotLive, ReceiveError};
use finial_tls::UriPatternError;

use crate::{Address, AddressError, HttpUrlError};

/// A proxy could not be built, or could not end in peace. Texts that ghostunnel has too are ghostunnel's.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// A server has nothing to present.
    #[error(
        "at least one of --keystore, --cert/--key, --auto-acme-cert, or --keychain-identity/issuer (if supported) flags is required"
    )]
    NoServerCredential,
    /// A server would have several identities.
    #[error(
        "--keystore, --cert/--key, --auto-acme-cert, and --keychain-identity/issuer flags are mutually exclusive"
    )]
    ServerCredentials,
    /// A client has nothing to present, and was not told to present nothing.
    #[error(
        "at least one of --keystore, --cert/--key, --keychain-identity/issuer (if supported), --use-workload-api or --disable-authentication flags is required"
    )]
    NoClientCredential,
    /// A client would have several identities, or one and none.
    #[error(
        "--keystore, --cert/--key, --keychain-identity/issuer, --use-workload-api and --disable-authentication flags are mutually exclusive"
    )]
    ClientCredentials,
    /// A certificate without its key, or the other way round.
    #[error("--cert/--key must be set together, unless using PKCS11 for private key")]
    HalfPair,
    /// Authorities beside those that the agent gives.
    #[error("--cacert and --use-workload-api are mutually exclusive: the agent gives the authorities")]
    AuthoritiesOfAgent,
    /// The files would be read all the time.
    #[error("--timed-reload duration must not be zero")]
    NoReloadInterval,
    /// A server permits nobody.
    #[error(
        "at least one access control flag (--allow-{{all,cn,ou,dns,uri,spki-pin}}, or OPA flags, or --disable-authentication) is required"
    )]
    NoAccessControl,
    /// A server permits everybody, and somebody.
    #[error("--allow-all is mutually exclusive with other access control flags")]
    AllowAllAndOthers,
    /// A server asks for no certificate, and permits certificates.
    #[error("--disable-authentication is mutually exclusive with other access control flags")]
    OpenAndAccessControl,
    /// Peers would be known by their key alone, and by their names.
    #[error("{flag} is mutually exclusive with other {others} flags")]
    PinsAndOthers {
        /// The flag that holds pins.
        flag: &'static str,
        /// What the other flags are for.
        others: &'static str,
    },
    /// Peers would be known by their key alone, and by an authority of the agent.
    #[error("{flag} is mutually exclusive with --use-workload-api")]
    PinsAndAgent {
        /// The flag that holds pins.
        flag: &'static str,
    },
    /// A pin cannot be read.
    #[error(transparent)]
    Pin(#[from] SpkiPinError),
    /// Nobody would be told of.
    #[error("--identity-header and --disable-authentication are mutually exclusive: nobody is known")]
    OpenAndIdentityHeader,
    /// Bytes are passed on whatever the backend speaks.
    #[error("--target-http2 requires --identity-header")]
    TargetHttp2Alone,
    /// Backends would be told names that nobody vouches for.
    #[error("--identity-header and --allow-spki-pin are mutually exclusive: nobody vouches for names")]
    PinsAndIdentityHeader,
    /// A server asks for no certificate that could be revoked or expire.
    #[error("{flag} and --disable-authentication are mutually exclusive: no certificate is asked for")]
    NobodyToScrutinize {
        /// The flag about certificates.
        flag: &'static str,
    },
    /// Only keys count, and no certificate.
    #[error("{flag} and {pins} are mutually exclusive: of a pinned peer only the key counts")]
    PinsAndScrutiny {
        /// The flag about certificates.
        flag: &'static str,
        /// The flag that holds pins.
        pins: &'static str,
    },
    /// A client of the Workload API would take any ID for its server's.
    #[error(
        "at least one verification flag (--verify-{{cn,ou,dns,uri}}) is required with --use-workload-api"
    )]
    NoVerification,
    /// The certificate of a client's target can be for nobody.
    #[error("`{name}` is no DNS name and no IP address: give the server's with --override-server-name")]
    NoServerName {
        /// The host of the target, or the name that was given.
        name: String,
    },
    /// A pattern breaks the grammar.
    #[error("invalid URI pattern in {flag} flag (`{pattern}`)")]
    UriPattern {
        /// The flag that holds it.
        flag: &'static str,
        /// The pattern.
        pattern: String,
        /// The rule it breaks.
        #[source]
        cause: UriPatternError,
    },
    /// An address cannot be read.
    #[error("invalid {flag} address")]
    Address {
        /// The flag that holds it.
        flag: &'static str,
        /// What is wrong with it.
        #[source]
        cause: AddressError,
    },
    /// A URL cannot be read. Not quoted, as it may hold a password.
    #[error("{flag} {cause}")]
    HttpUrl {
        /// The flag that holds it.
        flag: &'static str,
        /// What is wrong with it.
        cause: HttpUrlError,
    },
    /// The status would be served by HTTP or HTTPS, as a scheme says, on what has no port.
    #[error("invalid --status network \"{network}\": http(s):// scheme requires a HOST:PORT target")]
    StatusScheme {
        /// What it is instead.
        network: &'static str,
    },
    /// Something that ghostunnel serves and this proxy does not.
    #[error("{flag} is not served: {remedy}")]
    Unserved {
        /// The flag that asks for it.
        flag: &'static str,
        /// Why not, and what does instead.
        remedy: &'static str,
    },
    /// A policy without its query, or the other way round.
    #[error("{prefix}-policy and {prefix}-query have to be used together")]
    HalfPolicy {
        /// `--allow` or `--verify`.
        prefix: &'static str,
    },
    /// A certificate would be asked for by nobody.
    #[error("--auto-acme-cert was specified but no email address was provided with --auto-acme-email")]
    AcmeWithoutEmail,
    /// A certificate would be asked for on terms that nobody has agreed to.
    #[error("--auto-acme-agree-to-tos was not specified and is required if --auto-acme-cert is specified")]
    AcmeWithoutAgreement,
    /// Cipher suites of a name that is not known, or not safe.
    #[error("invalid cipher suite '{name}' selected")]
    CipherSuite {
        /// The name.
        name: String,
    },
    /// A version of TLS that is not known.
    #[error("invalid --max-tls-version '{version}': use TLS1.2 or TLS1.3")]
    TlsVersion {
        /// The version.
        version: String,
    },
    /// The name of the target is not known.
    #[error("invalid target address: {target} cannot be resolved; --skip-resolve starts without")]
    Unresolved {
        /// The target.
        target: Address,
        /// What the resolver says.
        #[source]
        cause: io::Error,
    },
    /// The backend of a server would be told of callers in two ways.
    #[error("--proxy-protocol and --proxy-protocol-mode are mutually exclusive")]
    ProxyProtocols,
    /// The backend of a server would be reached in the clear over a network.
    #[error("--target must be unix:PATH or localhost:PORT (unless --unsafe-target is set)")]
    UnsafeTarget,
    /// Others than this machine could use the identity of a client.
    #[error(
        "--listen must be unix:PATH, localhost:PORT, systemd:NAME or launchd:NAME (unless --unsafe-listen is set)"
    )]
    UnsafeListen,
    /// A client's target is no TCP port.
    #[error("invalid --target network \"{network}\": client mode requires a HOST:PORT TCP target")]
    ClientTarget {
        /// What it is instead.
        network: &'static str,
    },
    /// A server's target only listens.
    #[error(
        "invalid --target network \"systemd\": only tcp and unix targets are supported (systemd:/launchd: cannot be dialed)"
    )]
    PassedTarget,
    /// There is nowhere to forward to.
    #[error("at least one --target is required")]
    NoTarget,
    /// A target would be counted as two.
    #[error("--target {target} is given twice")]
    SameTarget {
        /// The target.
        target: String,
    },
    /// Targets would be checked all the time, or found ill by nothing.
    #[error("interval, timeout, healthy and unhealthy of health_check must not be zero")]
    HealthCheckOfNothing,
    /// What is asked of a target is no path.
    #[error("`{path}` is no path that a health_check can ask for: write /PATH")]
    HealthCheckPath {
        /// The path.
        path: String,
    },
    /// Nothing could ever connect.
    #[error("--connect-timeout duration must not be zero")]
    NoConnectTimeout,
    /// Metrics would be posted all the time.
    #[error("--metrics-interval duration must not be zero")]
    NoMetricsInterval,
    /// Graphite is reached by TCP.
    #[error("--metrics-graphite must be HOST:PORT")]
    GraphiteNetwork,
    /// Nobody could ask for profiles.
    #[error("--enable-pprof requires --status to be set")]
    PprofWithoutStatus,
    /// Nobody could ask for the end.
    #[error("--enable-shutdown requires --status to be set")]
    ShutdownWithoutStatus,
    /// A TCP port could not be bound.
    #[error("cannot listen on {address}: is another program there, or may this user not?")]
    Listen {
        /// The address.
        address: Address,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// systemd passes no socket of this name.
    #[error("expected listener with name {name}, but found none")]
    NoPassedSocket {
        /// The name.
        name: String,
    },
    /// systemd passes several sockets of one name.
    #[error("expected exactly 1 listening socket configured in systemd for name {name}, found {count}")]
    PassedSockets {
        /// The name.
        name: String,
        /// How many.
        count: usize,
    },
    /// What systemd passes does not listen for connections.
    #[error("cannot listen on the socket {name} of systemd: use ListenStream= in its unit")]
    PassedSocket {
        /// The name.
        name: String,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// A Unix socket could not be bound.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The agent gave no identity in time, or none at all.
    #[error(
        "timed out or failed waiting for initial SPIFFE Workload API update (is the agent reachable and is there a registration entry?)"
    )]
    NoIdentity(#[source] NotLive),
    /// Certificate, key or authorities cannot be read, or do not belong together.
    #[error("cannot use the certificate files")]
    Files(#[source] ReceiveError),
    /// A configuration file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    ReadConfiguration {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// A certificate that is asked about cannot be read.
    #[error("cannot read the certificate {}", path.display())]
    VisitorFile {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// A configuration file is at fault: every fault is a line of its own.
    #[error(transparent)]
    Configuration(#[from] HclError),
    /// A configuration names files or sockets where this process may not go any more.
    #[error(
        "{} is out of reach, since this process confined itself at its start to the folders that the configuration then named: it needs a restart, or --disable-landlock",
        folder.display()
    )]
    OutOfReach {
        /// The folder.
        folder: PathBuf,
    },
    /// A list of revoked certificates cannot be read.
    #[error("cannot use the revocation lists")]
    RevocationLists(#[source] ReceiveError),
    /// Connections were still open when the time to drain ran out, and were cut.
    #[error("graceful shutdown timeout: forcing exit")]
    Forced {
        /// The time that they had.
        limit: Duration,
    },
    /// A part of the proxy has panicked; the log says why.
    #[error("the task {0} has panicked")]
    Panicked(
        /// The name of the task.
        &'static str,
    ),
}
