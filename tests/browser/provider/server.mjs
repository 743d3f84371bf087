// An OpenID provider of other people's making, with pages that let anybody in: for tests only.
import Provider from 'oidc-provider';

const [port, staff, members] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [
    { client_id: 'consentry', client_secret: 'a secret of the tests', redirect_uris: [staff] },
    // Without a secret: PKCE alone says that whoever began it ends it.
    { client_id: 'consentry-members', token_endpoint_auth_method: 'none', redirect_uris: [members] },
  ],
  claims: { openid: ['sub'], profile: ['preferred_username', 'name'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  async findAccount(_, id) {
    return { accountId: id, claims: async () => ({ sub: id, preferred_username: id, name: id }) };
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log(issuer));
