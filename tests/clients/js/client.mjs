// Matrix sessions for the tests, one JSON document a line: requests come in, answers and events go out.
//
// In:  {"id": 1, "client": 0, "verb": "send", "with": {...}}; `login` needs no client.
// Out: {"id": 0, "answer": "ready"}, {"id": 1, "answer": ...}, {"id": 1,
//      "error": {"code", "message"}}, {"client": 0, "received": {...}} for each event of
//      others, again when it is decrypted later.
// The end of stdin ends the process: whoever started it cannot leave it behind.

import { createInterface } from "node:readline";

// stdout is the protocol's: what libraries say goes to stderr, their chatter nowhere.
console.log = console.info = console.debug = () => {};

const { Session } = await import("./session.mjs");

const sessions = [];

function say(document) {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

async function login(arguments_) {
  const number = sessions.push(null) - 1;
  const received = (event) => say({ client: number, received: event });
  sessions[number] = await Session.login(arguments_, received);
  return { client: number, ...sessions[number].description };
}

async function perform({ client, verb, with: arguments_ }) {
  if (verb === "login") return await login(arguments_);
  const session = sessions[client];
  if (!session) throw new Error(`no client ${client}`);
  const known = verb in Session.prototype && !(verb in Object.prototype);
  if (!known) throw new Error(`no verb ${verb}`);
  return await session[verb](arguments_);
}

async function take(line) {
  const request = JSON.parse(line);
  try {
    say({ id: request.id, answer: (await perform(request)) ?? null });
  } catch (error) {
    const code = error?.errcode ?? error?.name ?? "Error";
    say({ id: request.id, error: { code, message: String(error?.message ?? error) } });
  }
}

// A request in the background of the library may fail while the homeserver is down.
process.on("unhandledRejection", (error) => console.warn("unhandled:", error));
process.on("SIGTERM", () => process.exit(0));

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on("line", take);
lines.on("close", () => process.exit(0));
say({ id: 0, answer: "ready" });
