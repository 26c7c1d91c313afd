// A stand-in for a stock SPIRE server: the calls that an agent needs, over grpc-go and the published API stubs.
//
//	server -listen HOST:PORT -bundle FILE -token T -agent-ttl D
//
// It writes its bundle, answers on the address, and prints one line for each call. On standard input it takes:
//
//	entry ID SPIFFE-PATH TYPE:VALUE   a new entry, or a new revision of one
//	remove ID                         an entry goes
//	deny REASON                       each call of the agent is refused with this reason of PermissionDeniedDetails
//	allow                             no longer
package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

const trustDomain = "example.org"

var (
	listen   = flag.String("listen", "", "host:port")
	roots    = flag.String("bundle", "", "where to write the bundle, in PEM")
	token    = flag.String("token", "", "the join token, good once")
	agentTTL = flag.Duration("agent-ttl", time.Hour, "life of an agent's SVID")
)

// state is what the server knows; its calls are in calls.go.
type state struct {
	agentv1.UnimplementedAgentServer
	bundlev1.UnimplementedBundleServer
	entryv1.UnimplementedEntryServer
	svidv1.UnimplementedSVIDServer

	authority *authority

	lock    sync.Mutex
	token   string
	active  string
	renewed string
	deny    types.PermissionDeniedDetails_Reason
	entries map[string]*types.Entry
	created int64
}

func main() {
	flag.Parse()
	authority, err := newAuthority()
	check(err)
	check(os.WriteFile(*roots, authority.pem(), 0o644))
	config, err := authority.serverConfig()
	check(err)
	listener, err := net.Listen("tcp", *listen)
	check(err)
	server := &state{authority: authority, token: *token, entries: map[string]*types.Entry{}}
	service := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(config)),
		grpc.UnaryInterceptor(server.unary), grpc.StreamInterceptor(server.stream),
		grpc.UnknownServiceHandler(unknown),
	)
	agentv1.RegisterAgentServer(service, server)
	bundlev1.RegisterBundleServer(service, server)
	entryv1.RegisterEntryServer(service, server)
	svidv1.RegisterSVIDServer(service, server)
	go server.commands()
	say("listening")
	check(service.Serve(listener))
}

// unknown answers what grpc-go answers by itself, and says which service was asked for.
func unknown(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	say("unknown %s", method)
	return status.Errorf(codes.Unimplemented, "unknown service %s", method)
}

func (s *state) commands() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		s.command(strings.Fields(lines.Text()))
	}
	os.Exit(0)
}

func (s *state) command(words []string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	switch {
	case len(words) == 4 && words[0] == "entry":
		kind, value, _ := strings.Cut(words[3], ":")
		revision := int64(0)
		if known := s.entries[words[1]]; known != nil {
			revision = known.RevisionNumber + 1
		}
		s.created++
		s.entries[words[1]] = &types.Entry{
			Id: words[1], SpiffeId: id(words[2]), ParentId: id(agentPath(*token)), RevisionNumber: revision,
			Selectors: []*types.Selector{{Type: kind, Value: value}}, CreatedAt: 1_700_000_000,
		}
	case len(words) == 2 && words[0] == "remove":
		delete(s.entries, words[1])
	case len(words) == 2 && words[0] == "deny":
		reason, ok := types.PermissionDeniedDetails_Reason_value[words[1]]
		if !ok {
			check(fmt.Errorf("unknown reason %q", words[1]))
		}
		s.deny = types.PermissionDeniedDetails_Reason(reason)
	case len(words) == 1 && words[0] == "allow":
		s.deny = types.PermissionDeniedDetails_UNKNOWN
	default:
		check(fmt.Errorf("unknown command %q", words))
	}
}

func (s *state) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := s.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, request)
}

func (s *state) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := s.admit(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(server, stream)
}

// admit judges the caller as SPIRE does: by the serial number that is active, or the renewed one, which thereby is.
func (s *state) admit(ctx context.Context, method string) error {
	name := method[strings.LastIndex(method, "/")+1:]
	leaf, err := s.authority.leaf(ctx)
	if err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if method == agentv1.Agent_AttestAgent_FullMethodName || method == bundlev1.Bundle_GetBundle_FullMethodName {
		say("call %s", name)
		return nil
	}
	if strings.HasPrefix(method, "/spire.") {
		if leaf == nil {
			return status.Errorf(codes.PermissionDenied, "authorization denied for method %s", method)
		}
		switch serial := leaf.SerialNumber.String(); {
		case s.deny != types.PermissionDeniedDetails_UNKNOWN:
			return denied(s.deny)
		case serial == s.renewed:
			s.active, s.renewed = serial, ""
			say("activated")
		case serial != s.active:
			return denied(types.PermissionDeniedDetails_AGENT_NOT_ACTIVE)
		}
		say("call %s", name)
	}
	return nil
}

func denied(reason types.PermissionDeniedDetails_Reason) error {
	say("denied %s", reason)
	refusal, err := status.New(codes.PermissionDenied, "agent is not what it was").
		WithDetails(&types.PermissionDeniedDetails{Reason: reason})
	check(err)
	return refusal.Err()
}

// leaf is the caller's certificate once its chain was verified; nil when it sent none.
func (a *authority) leaf(ctx context.Context) (*x509.Certificate, error) {
	caller, _ := peer.FromContext(ctx)
	info, ok := caller.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return nil, nil
	}
	leaf := info.State.PeerCertificates[0]
	options := x509.VerifyOptions{Roots: a.pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := leaf.Verify(options); err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	return leaf, nil
}

func say(format string, values ...any) { fmt.Printf(format+"\n", values...) }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func agentPath(token string) string  { return "/spire/agent/join_token/" + token }
func id(path string) *types.SPIFFEID { return &types.SPIFFEID{TrustDomain: trustDomain, Path: path} }
