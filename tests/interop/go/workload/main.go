// A workload on go-spiffe, the library that most consumers of the Workload API are built with.
//
//	workload follow             prints the serial number of each X.509-SVID that its source receives
//	workload list               prints SPIFFE ID and hint of each X.509-SVID and JWT-SVID
//	workload pick HINT          prints the identity that its sources take by that hint
//	workload validate           fetches a JWT-SVID, validates it here and by the Workload API
//	workload tokens             prints ID and key of the token that its source gives, how many keys its bundle has,
//	                            and whether they find it good, and the first one; a line for each change
//	workload serve ID           answers "hello, <peer>" to the one SPIFFE ID that it admits, on a port that it prints
//	workload dial HOST:PORT ID  prints what the server with that SPIFFE ID answers
//
// The Workload API is the one that SPIFFE_ENDPOINT_SOCKET names.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const audience = "go-spiffe"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	arguments := append(os.Args[1:], "", "", "")
	switch arguments[0] {
	case "follow":
		check(follow(ctx))
	case "list":
		check(list(ctx))
	case "pick":
		check(pick(ctx, arguments[1]))
	case "validate":
		check(validate(ctx))
	case "tokens":
		check(tokens(ctx))
	case "serve":
		check(serve(ctx, arguments[1]))
	case "dial":
		check(dial(ctx, arguments[1], arguments[2]))
	default:
		check(fmt.Errorf("unknown command %q", arguments[0]))
	}
}

func follow(ctx context.Context) error {
	source, err := workloadapi.NewX509Source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	for {
		svid, err := source.GetX509SVID()
		if err != nil {
			return err
		}
		bundle, err := source.GetX509BundleForTrustDomain(svid.ID.TrustDomain())
		if err != nil {
			return err
		}
		fmt.Println(svid.ID, svid.Certificates[0].SerialNumber, len(bundle.X509Authorities()))
		select {
		case <-source.Updated():
		case <-ctx.Done():
			return nil
		}
	}
}

func list(ctx context.Context) error {
	client, err := workloadapi.New(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	certificates, err := client.FetchX509SVIDs(ctx)
	if err != nil {
		return err
	}
	for _, svid := range certificates {
		fmt.Println("x509", svid.ID, svid.Hint)
	}
	tokens, err := client.FetchJWTSVIDs(ctx, jwtsvid.Params{Audience: audience})
	for _, svid := range tokens {
		fmt.Println("jwt", svid.ID, svid.Hint)
	}
	return err
}

func pick(ctx context.Context, hint string) error {
	x509Source, err := workloadapi.NewX509Source(ctx, workloadapi.WithDefaultX509SVIDPicker(
		func(svids []*x509svid.SVID) *x509svid.SVID {
			for _, svid := range svids {
				if svid.Hint == hint {
					return svid
				}
			}
			return nil
		}))
	if err != nil {
		return err
	}
	defer x509Source.Close()
	certificate, err := x509Source.GetX509SVID()
	if err != nil {
		return err
	}
	jwtSource, err := workloadapi.NewJWTSource(ctx)
	if err != nil {
		return err
	}
	defer jwtSource.Close()
	token, err := jwtSource.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience, Subject: certificate.ID})
	if err != nil {
		return err
	}
	fmt.Println(certificate.ID, token.ID)
	return nil
}

func validate(ctx context.Context) error {
	source, err := workloadapi.NewJWTSource(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	svid, err := source.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience})
	if err != nil {
		return err
	}
	token := svid.Marshal()
	here, err := jwtsvid.ParseAndValidate(token, source, []string{audience})
	if err != nil {
		return err
	}
	there, err := workloadapi.ValidateJWTSVID(ctx, token, audience)
	if err != nil {
		return err
	}
	if _, err := workloadapi.ValidateJWTSVID(ctx, token, "somebody else"); err == nil {
		return fmt.Errorf("the token was valid for somebody else")
	}
	fmt.Println(here.ID, there.ID)
	return nil
}

func tokens(ctx context.Context) error {
	source, err := workloadapi.NewJWTSource(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	judge := func(token string) string {
		if _, err := jwtsvid.ParseAndValidate(token, source, []string{audience}); err != nil {
			return "refused"
		}
		return "good"
	}
	var first, last string
	for ctx.Err() == nil {
		svid, err := source.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience})
		if err != nil {
			return err
		}
		token := svid.Marshal()
		verdict := judge(token)
		if verdict != "good" {
			// The bundle may have changed since the token came: then the next one is good.
			if svid, err = source.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience}); err != nil {
				return err
			}
			token = svid.Marshal()
			verdict = judge(token)
		}
		if first == "" {
			first = token
		}
		bundle, err := source.GetJWTBundleForTrustDomain(svid.ID.TrustDomain())
		if err != nil {
			return err
		}
		line := fmt.Sprint(svid.ID, " ", keyID(token), " ", len(bundle.JWTAuthorities()), " ", verdict, " ", judge(first))
		if line != last {
			fmt.Println(line)
			last = line
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

func keyID(token string) string {
	var header struct {
		KeyID string `json:"kid"`
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	check(err)
	check(json.Unmarshal(text, &header))
	return header.KeyID
}

func serve(ctx context.Context, peer string) error {
	admitted, err := spiffeid.FromString(peer)
	if err != nil {
		return err
	}
	mode := spiffetls.MTLSServer(tlsconfig.AuthorizeID(admitted))
	listener, err := spiffetls.ListenWithMode(ctx, "tcp", "127.0.0.1:0", mode)
	if err != nil {
		return err
	}
	defer listener.Close()
	fmt.Println(listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func(connection net.Conn) {
			defer connection.Close()
			// The handshake takes place at the first byte that is read.
			if _, err := connection.Read(make([]byte, 1)); err != nil {
				fmt.Println("refused:", err)
				return
			}
			id, err := spiffetls.PeerIDFromConn(connection)
			if err != nil {
				fmt.Println("nobody:", err)
				return
			}
			fmt.Fprintf(connection, "hello, %s\n", id)
		}(connection)
	}
}

func dial(ctx context.Context, address, peer string) error {
	expected, err := spiffeid.FromString(peer)
	if err != nil {
		return err
	}
	connection, err := spiffetls.Dial(ctx, "tcp", address, tlsconfig.AuthorizeID(expected))
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := connection.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		return err
	}
	answer, err := io.ReadAll(connection)
	fmt.Println(string(answer))
	return err
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
