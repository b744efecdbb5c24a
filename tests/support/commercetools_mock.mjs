// Serves the public commercetools mock on loopback and prints its port as one line of JSON. Arguments: project key, client id, client secret.
import {CommercetoolsMock} from "@labdigital/commercetools-mock";

const [project, id, secret] = process.argv.slice(2);
const mock = new CommercetoolsMock({
  enableAuthentication: true,
  validateCredentials: true,
  silent: true,
  defaultProjectKey: project,
  apiHost: false,
  authHost: false,
});
await mock.app.listen({port: 0, host: "127.0.0.1"});
console.log(JSON.stringify({port: mock.app.server.address().port, id, secret}));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
