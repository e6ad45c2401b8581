// One signed-in device of a person: matrix-js-sdk, its Rust crypto, keys in memory only.
// Methods without # are verbs of the protocol.

import { UserId } from "@matrix-org/matrix-sdk-crypto-wasm";
import { ClientEvent, createClient, MatrixEventEvent, RoomEvent } from "matrix-js-sdk";
import {
  AllDevicesIsolationMode,
  decodeRecoveryKey,
  EventShieldColour,
  EventShieldReason,
  OnlySignedDevicesIsolationMode,
} from "matrix-js-sdk/lib/crypto-api/index.js";

export const HTTP_MS = 20_000;
const POLL_MS = 40;

export async function until(what, check, seconds) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) {
      throw Object.assign(new Error(`${what}: not within ${seconds} s`), { name: "Timeout" });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

export class Device {
  #received;
  #withheld = [];
  #storageKey = null; // [id, bytes] of secret storage, as a person would keep it
  #password;

  static async login({ homeserver, username, password, name, seconds }, received) {
    const unsigned = createClient({ baseUrl: homeserver, localTimeoutMs: HTTP_MS });
    const identifier = { type: "m.id.user", user: username };
    const granted = await unsigned.login("m.login.password", {
      identifier,
      password,
      initial_device_display_name: name,
    });
    const session = new this(homeserver, granted, { password, identifier }, received);
    await session.#start(seconds);
    return session;
  }

  constructor(homeserver, granted, secrets, received) {
    this.#received = received;
    this.#password = secrets;
    this.client = createClient({
      baseUrl: homeserver,
      userId: granted.user_id,
      deviceId: granted.device_id,
      accessToken: granted.access_token,
      localTimeoutMs: HTTP_MS,
      cryptoCallbacks: {
        getSecretStorageKey: async ({ keys }) => {
          const [id, key] = this.#storageKey ?? [];
          if (!key) return null;
          return [id && id in keys ? id : Object.keys(keys)[0], key];
        },
        cacheSecretStorageKey: (id, _info, key) => (this.#storageKey = [id, key]),
      },
    });
  }

  get crypto() {
    return this.client.getCrypto();
  }

  get user() {
    return this.client.getUserId();
  }

  get description() {
    return {
      user_id: this.user,
      device_id: this.client.getDeviceId(),
      access_token: this.client.getAccessToken(),
    };
  }

  async #start(seconds) {
    await this.client.initRustCrypto({ useIndexedDB: false });
    this.client.on(RoomEvent.Timeline, (event) => this.#heard(event));
    this.client.on(MatrixEventEvent.Decrypted, (event) => this.#tell(event));
    this.client.on(ClientEvent.ToDeviceEvent, (event) => {
      if (event.getType() === "m.room_key.withheld") this.#withheld.push(event.getContent());
    });
    await this.client.startClient({ initialSyncLimit: 100, pollTimeout: 10_000 });
    await until("first sync", () => this.client.isInitialSyncComplete(), seconds);
    const device = this.client.getDeviceId();
    await until(
      "device keys on the server",
      async () => {
        const known = await this.client.downloadKeysForUsers([this.user]);
        return known.device_keys?.[this.user]?.[device];
      },
      seconds,
    );
  }

  async #heard(event) {
    if (event.status !== null) return; // our own, not yet sent
    // Encrypted ones are told by their Decrypted event, whether that failed or not.
    if (event.getWireType() !== "m.room.encrypted" || event.isRedacted()) await this.#tell(event);
  }

  async #tell(event) {
    if (event.getSender() === this.user || !event.getRoomId()) return;
    const wire = event.getWireContent();
    const shield = event.isEncrypted() ? await this.crypto.getEncryptionInfoForEvent(event) : null;
    this.#received({
      room_id: event.getRoomId(),
      event_id: event.getId(),
      sender: event.getSender(),
      type: event.getType(),
      state_key: event.getStateKey() ?? null,
      wire_type: event.getWireType(),
      session_id: wire.session_id ?? null,
      content: event.isRedacted() ? {} : event.getContent(),
      // js-sdk lifts the relation out of the ciphertext's envelope; a test may want either.
      relates_to: wire["m.relates_to"] ?? null,
      redacts: event.getAssociatedId() ?? null,
      failure: event.decryptionFailureReason ?? null,
      shield: shield ? EventShieldColour[shield.shieldColour] : null,
      shield_reason: shield?.shieldReason == null ? null : EventShieldReason[shield.shieldReason],
    });
  }

  // Identity

  #authorize = async (request) => {
    try {
      return await request(null);
    } catch (error) {
      if (error.httpStatus !== 401) throw error;
      const { password, identifier } = this.#password;
      const session = error.data?.session;
      return await request({ type: "m.login.password", identifier, password, session });
    }
  };

  async bootstrap({ reset }) {
    await this.crypto.bootstrapCrossSigning({
      setupNewCrossSigning: reset,
      authUploadDeviceSigningKeys: this.#authorize,
    });
  }

  async newSecretStorage() {
    const made = await this.crypto.createRecoveryKeyFromPassphrase();
    await this.crypto.bootstrapSecretStorage({
      createSecretStorageKey: async () => made,
      setupNewSecretStorage: true,
    });
    return made.encodedPrivateKey;
  }

  // Takes an identity over from secret storage, and signs this device with it.
  async openSecretStorage({ recovery_key, seconds }) {
    this.#storageKey = [null, decodeRecoveryKey(recovery_key)];
    // Private keys are taken only for public ones that are known.
    const published = () => this.crypto.userHasCrossSigningKeys(this.user, true);
    await until("own identity", published, seconds);
    try {
      await this.crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: this.#authorize });
    } catch (error) {
      this.#storageKey = null;
      throw error;
    }
  }

  async identity({ user }) {
    const published = await this.crypto.userHasCrossSigningKeys(user, true);
    const status = await this.crypto.getUserVerificationStatus(user);
    return {
      published,
      verified: status.isCrossSigningVerified(),
      verified_before: status.wasCrossSigningVerified(),
      needs_approval: status.needsUserApproval,
    };
  }

  // As if their safety numbers had been compared: signs their master key with our own.
  async verifyUser({ user, seconds }) {
    await this.crypto.userHasCrossSigningKeys(user, true);
    const identity = await this.crypto.olmMachine.getIdentity(new UserId(user));
    if (!identity) throw new Error(`${user} has no cross-signing identity`);
    try {
      const request = await identity.verify();
      await this.crypto.outgoingRequestProcessor.makeOutgoingRequest(request);
    } finally {
      identity.free();
    }
    // Our own signature counts once the server has given it back.
    await until(`${user} verified`, async () => (await this.identity({ user })).verified, seconds);
  }

  async verifyDevice({ user, device }) {
    await this.crypto.setDeviceVerified(user, device, true);
  }

  async devices({ user }) {
    await this.crypto.userHasCrossSigningKeys(user, true);
    const known = (await this.crypto.getUserDeviceInfo([user], true)).get(user) ?? new Map();
    return await Promise.all([...known.values()].map((device) => this.#trust(user, device)));
  }

  async #trust(user, device) {
    const status = await this.crypto.getDeviceVerificationStatus(user, device.deviceId);
    return {
      device_id: device.deviceId,
      name: device.displayName ?? null,
      ed25519: device.getFingerprint() ?? null,
      curve25519: device.getIdentityKey() ?? null,
      known: status !== null,
      signed_by_owner: status?.signedByOwner ?? false,
      cross_signing_verified: status?.crossSigningVerified ?? false,
      locally_verified: status?.localVerified ?? false,
      verified: status?.isVerified() ?? false,
    };
  }

  async device({ user, device, signed, seconds }) {
    const found = async () => {
      const all = await this.devices({ user });
      return all.find((each) => each.device_id === device && each.signed_by_owner === signed);
    };
    return await until(`${device} of ${user}`, found, seconds);
  }

  async isolate({ only_signed }) {
    const mode = only_signed
      ? new OnlySignedDevicesIsolationMode()
      : new AllDevicesIsolationMode(false);
    this.crypto.setDeviceIsolationMode(mode);
  }

  // Keys

  async rotate({ room }) {
    await this.crypto.forceDiscardSession(room);
  }

  async withheld() {
    return this.#withheld.map((each) => ({
      room_id: each.room_id ?? null,
      session_id: each.session_id ?? null,
      code: each.code,
      reason: each.reason ?? null,
    }));
  }

  // A new backup; the old one, if any, is deleted. Its key goes to secret storage where that is open.
  async backupOn({ seconds }) {
    await this.crypto.resetKeyBackup();
    return await until("key backup", () => this.crypto.getActiveSessionBackupVersion(), seconds);
  }

  async backupOff() {
    const info = await this.crypto.getKeyBackupInfo();
    if (info?.version) await this.crypto.deleteKeyBackupVersion(info.version);
  }

  // At once: the library's own upload waits up to 10 s, by chance. Both together do no harm.
  async backUp() {
    let request;
    while ((request = await this.crypto.olmMachine.backupRoomKeys())) {
      await this.crypto.outgoingRequestProcessor.makeOutgoingRequest(request);
    }
    // The library's own answer is from before the upload.
    const { count } = await this.client.http.authedRequest("GET", "/room_keys/version");
    return count;
  }

  async restore() {
    await this.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    const { imported, total } = await this.crypto.restoreKeyBackup();
    return { imported, total };
  }

  async exportKeys() {
    return await this.crypto.exportRoomKeysAsJson();
  }

  async importKeys({ keys }) {
    await this.crypto.importRoomKeysAsJson(keys);
  }

  // End

  async logout() {
    await this.client.logout(true);
    this.client.stopClient();
  }

  async stop() {
    this.client.stopClient();
  }
}
