// A stand-in for a stock SPIRE agent: it calls a server as one does, over grpc-go and the published API stubs.
//
//	agent attest -server HOST:PORT -bundle FILE -state DIR (-token T | -x509pop-cert FILE -x509pop-key FILE)
//	agent call   -server HOST:PORT -bundle FILE -state DIR [-into DIR] METHOD [ARGUMENT...]
//
// The agent's certificate and key lie in the state folder; `call renew` puts the new ones into the folder of -into, so
// that the caller chooses which serial number speaks next. Each call prints one line of JSON.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

var (
	server   = flag.String("server", "", "host:port")
	domain   = flag.String("trust-domain", "example.org", "trust domain")
	roots    = flag.String("bundle", "", "PEM file of the trust domain's bundle")
	state    = flag.String("state", "", "folder of svid.pem and key.pem")
	into     = flag.String("into", "", "folder for a renewed svid.pem and key.pem")
	token    = flag.String("token", "", "join token")
	popCert  = flag.String("x509pop-cert", "", "PEM chain to attest with")
	popKey   = flag.String("x509pop-key", "", "PEM key of that chain")
	insecure = flag.Bool("anonymous", false, "call without a client certificate")
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("attest or call"))
	}
	command := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	switch command {
	case "attest":
		report(attest(ctx))
	case "call":
		report(call(ctx, flag.Arg(0), flag.Args()[1:]))
	default:
		fail(fmt.Errorf("unknown command %q", command))
	}
}

// report prints what was answered, or the refusal with its code, message and reason.
func report(answer any, err error) {
	if err == nil {
		print(answer)
		return
	}
	refusal, ok := status.FromError(err)
	if !ok {
		fail(err)
	}
	reason := ""
	for _, detail := range refusal.Details() {
		if denied, ok := detail.(*types.PermissionDeniedDetails); ok {
			reason = denied.GetReason().String()
		}
	}
	print(map[string]string{"code": refusal.Code().String(), "message": refusal.Message(), "reason": reason})
	os.Exit(2)
}

func print(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// connect dials the server with the agent's certificate, or with none, and expects the server's SPIFFE ID.
func connect(anonymous bool) (*grpc.ClientConn, error) {
	trustDomain, err := spiffeid.TrustDomainFromString(*domain)
	if err != nil {
		return nil, err
	}
	bundle, err := x509bundle.Load(trustDomain, *roots)
	if err != nil {
		return nil, err
	}
	id, err := spiffeid.FromPath(trustDomain, "/spire/server")
	if err != nil {
		return nil, err
	}
	authorize := tlsconfig.AuthorizeID(id)
	config := tlsconfig.TLSClientConfig(bundle, authorize)
	if !anonymous {
		// Read without go-spiffe's checks: an expired certificate must be sent too.
		pair, err := tls.LoadX509KeyPair(filepath.Join(*state, "svid.pem"), filepath.Join(*state, "key.pem"))
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return grpc.NewClient("dns:///"+*server, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

// request makes a key and the CSR that a SPIRE agent sends for itself: without a URI.
func request() (*ecdsa.PrivateKey, []byte, error) {
	return requestFor(nil)
}

func requestFor(template *x509.CertificateRequest) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template == nil {
		template = &x509.CertificateRequest{}
	}
	template.Subject.Country = []string{"US"}
	template.Subject.Organization = []string{"SPIRE"}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	return key, csr, err
}

// keep writes the agent's SVID, after go-spiffe has found that it belongs to the key.
func keep(folder string, svid *types.X509SVID, key crypto.Signer) error {
	var chain []*x509.Certificate
	for _, der := range svid.GetCertChain() {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return fmt.Errorf("the SVID has no certificate")
	}
	id, err := x509svid.IDFromCert(chain[0])
	if err != nil {
		return err
	}
	certificates, encodedKey, err := (&x509svid.SVID{ID: id, Certificates: chain, PrivateKey: key}).Marshal()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "svid.pem"), certificates, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "key.pem"), encodedKey, 0o600)
}

func path(id *types.SPIFFEID) string {
	return "spiffe://" + id.GetTrustDomain() + id.GetPath()
}

func encode(der []byte) string {
	return base64.StdEncoding.EncodeToString(der)
}
