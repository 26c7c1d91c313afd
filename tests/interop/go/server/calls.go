package main

import (
	"context"
	"crypto/x509"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agentv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/agent/v1"
	bundlev1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/bundle/v1"
	entryv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/entry/v1"
	svidv1 "github.com/spiffe/spire-api-sdk/proto/spire/api/server/svid/v1"
	"github.com/spiffe/spire-api-sdk/proto/spire/api/types"
)

const svidTTL = time.Hour

func (s *state) AttestAgent(stream agentv1.Agent_AttestAgentServer) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	params := request.GetParams()
	s.lock.Lock()
	good := params.GetData().GetType() == "join_token" && s.token != "" && string(params.GetData().GetPayload()) == s.token
	s.token = ""
	s.lock.Unlock()
	if !good {
		return status.Error(codes.InvalidArgument, "failed to attest: join token does not exist or has already been used")
	}
	svid, err := s.agentSVID(params.GetParams().GetCsr(), func(serial string) { s.active = serial })
	if err != nil {
		return err
	}
	result := &agentv1.AttestAgentResponse_Result{Svid: svid, Reattestable: false}
	return stream.Send(&agentv1.AttestAgentResponse{Step: &agentv1.AttestAgentResponse_Result_{Result: result}})
}

func (s *state) RenewAgent(_ context.Context, request *agentv1.RenewAgentRequest) (*agentv1.RenewAgentResponse, error) {
	svid, err := s.agentSVID(request.GetParams().GetCsr(), func(serial string) { s.renewed = serial })
	return &agentv1.RenewAgentResponse{Svid: svid}, err
}

func (s *state) agentSVID(csr []byte, remember func(serial string)) (*types.X509SVID, error) {
	certificate, err := s.authority.request(csr, agentPath(*token), *agentTTL)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	remember(certificate.SerialNumber.String())
	return svid(agentPath(*token), certificate), nil
}

func (s *state) PostStatus(context.Context, *agentv1.PostStatusRequest) (*agentv1.PostStatusResponse, error) {
	return &agentv1.PostStatusResponse{}, nil
}

func (s *state) GetBundle(context.Context, *bundlev1.GetBundleRequest) (*types.Bundle, error) {
	key, err := x509.MarshalPKIXPublicKey(s.authority.key.Public())
	return &types.Bundle{
		TrustDomain:     trustDomain,
		X509Authorities: []*types.X509Certificate{{Asn1: s.authority.certificate.Raw}},
		JwtAuthorities:  []*types.JWTKey{{PublicKey: key, KeyId: s.authority.keyID, ExpiresAt: time.Now().Add(svidTTL).Unix()}},
		RefreshHint:     300, SequenceNumber: 1,
	}, err
}

func (s *state) all() []*types.Entry {
	s.lock.Lock()
	defer s.lock.Unlock()
	var found []*types.Entry
	for _, entry := range s.entries {
		found = append(found, entry)
	}
	return found
}

func (s *state) GetAuthorizedEntries(context.Context, *entryv1.GetAuthorizedEntriesRequest) (*entryv1.GetAuthorizedEntriesResponse, error) {
	return &entryv1.GetAuthorizedEntriesResponse{Entries: s.all()}, nil
}

// SyncAuthorizedEntries always sends revisions first, which a server does that has more than one page of entries.
func (s *state) SyncAuthorizedEntries(stream entryv1.Entry_SyncAuthorizedEntriesServer) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	if !request.GetOutputMask().GetRevisionNumber() || len(request.GetIds()) > 0 {
		return status.Error(codes.InvalidArgument, "the first request needs a mask with the revision number, and no IDs")
	}
	all := s.all()
	if len(all) == 0 {
		return stream.Send(&entryv1.SyncAuthorizedEntriesResponse{})
	}
	var revisions []*entryv1.EntryRevision
	byID := map[string]*types.Entry{}
	for _, entry := range all {
		byID[entry.Id] = entry
		revisions = append(revisions, &entryv1.EntryRevision{Id: entry.Id, RevisionNumber: entry.RevisionNumber, CreatedAt: entry.CreatedAt})
	}
	for i, revision := range revisions {
		page := &entryv1.SyncAuthorizedEntriesResponse{EntryRevisions: []*entryv1.EntryRevision{revision}, More: i+1 < len(revisions)}
		if err := stream.Send(page); err != nil {
			return err
		}
	}
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		answer := &entryv1.SyncAuthorizedEntriesResponse{}
		for _, id := range request.GetIds() {
			if entry := byID[id]; entry != nil {
				answer.Entries = append(answer.Entries, entry)
			}
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (s *state) BatchNewX509SVID(_ context.Context, request *svidv1.BatchNewX509SVIDRequest) (*svidv1.BatchNewX509SVIDResponse, error) {
	answer := &svidv1.BatchNewX509SVIDResponse{}
	for _, params := range request.GetParams() {
		result := &svidv1.BatchNewX509SVIDResponse_Result{Status: &types.Status{Code: int32(codes.OK), Message: "OK"}}
		entry := s.entry(params.GetEntryId())
		if entry == nil {
			result.Status = &types.Status{Code: int32(codes.NotFound), Message: "entry not found or not authorized"}
		} else if certificate, err := s.authority.request(params.GetCsr(), entry.SpiffeId.Path, svidTTL); err != nil {
			result.Status = &types.Status{Code: int32(codes.InvalidArgument), Message: err.Error()}
		} else {
			result.Svid = svid(entry.SpiffeId.Path, certificate)
		}
		answer.Results = append(answer.Results, result)
	}
	return answer, nil
}

func (s *state) NewJWTSVID(_ context.Context, request *svidv1.NewJWTSVIDRequest) (*svidv1.NewJWTSVIDResponse, error) {
	entry := s.entry(request.GetEntryId())
	if entry == nil {
		return nil, status.Error(codes.NotFound, "entry not found or not authorized")
	}
	text, expiry, err := s.authority.token(entry.SpiffeId.Path, request.GetAudience(), 5*time.Minute)
	if err != nil {
		return nil, err
	}
	return &svidv1.NewJWTSVIDResponse{Svid: &types.JWTSVID{
		Token: text, Id: entry.SpiffeId, ExpiresAt: expiry.Unix(), IssuedAt: time.Now().Unix(),
	}}, nil
}

func (s *state) entry(id string) *types.Entry {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.entries[id]
}

func svid(path string, certificate *x509.Certificate) *types.X509SVID {
	return &types.X509SVID{Id: id(path), CertChain: [][]byte{certificate.Raw}, ExpiresAt: certificate.NotAfter.Unix()}
}
