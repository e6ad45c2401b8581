// What a person does in rooms with a signed-in device.

import { decrypt, encrypt } from "./attachment.mjs";
import { Device, HTTP_MS, until } from "./device.mjs";

const MEGOLM = "m.megolm.v1.aes-sha2";

export class Session extends Device {
  // Rooms

  async createRoom({ name, invite, encrypted, rotation_messages, seconds }) {
    const content = { algorithm: MEGOLM };
    if (rotation_messages) content.rotation_period_msgs = rotation_messages;
    const encryption = { type: "m.room.encryption", state_key: "", content };
    const { room_id } = await this.client.createRoom({
      name,
      invite,
      preset: "private_chat",
      initial_state: encrypted ? [encryption] : [],
    });
    await this.#room(room_id, encrypted, seconds);
    return room_id;
  }

  async #room(room_id, encrypted, seconds) {
    const ready = async () => {
      const room = this.client.getRoom(room_id);
      if (!room || room.getMyMembership() !== "join") return null;
      if (encrypted && !(await this.crypto.isEncryptionEnabledInRoom(room_id))) return null;
      return room;
    };
    return await until(`room ${room_id}`, ready, seconds);
  }

  async invite({ room, user }) {
    await this.client.invite(room, user);
  }

  async join({ room, encrypted, seconds }) {
    await this.client.joinRoom(room);
    await this.#room(room, encrypted, seconds);
  }

  async member({ room, user, membership, seconds }) {
    const is = () => this.client.getRoom(room)?.getMember(user)?.membership === membership;
    await until(`${user} in ${room}: ${membership}`, is, seconds);
  }

  // What is said

  async send({ room, type, content, seconds }) {
    const known = await this.#room(room, false, seconds);
    const { event_id } = await this.client.sendEvent(room, type, content);
    const wire = known.findEventById(event_id)?.getWireContent();
    return { event_id, session_id: wire?.session_id ?? null };
  }

  async redact({ room, event, reason }) {
    const { event_id } = await this.client.redactEvent(room, event, undefined, { reason });
    return { event_id, session_id: null };
  }

  async attach({ room, name, type, data, seconds }) {
    const plain = Buffer.from(data, "base64");
    const { bytes, file } = encrypt(plain);
    const { content_uri } = await this.client.uploadContent(bytes, {
      includeFilename: false,
      type: "application/octet-stream",
    });
    const content = {
      msgtype: type.startsWith("image/") ? "m.image" : "m.file",
      body: name,
      info: { mimetype: type, size: plain.length },
      file: { ...file, url: content_uri },
    };
    return await this.send({ room, type: "m.room.message", content, seconds });
  }

  async download({ file }) {
    const address = this.client.mxcUrlToHttp(file.url, undefined, undefined, undefined, false, true, true);
    const response = await fetch(address, {
      headers: { Authorization: `Bearer ${this.client.getAccessToken()}` },
      signal: AbortSignal.timeout(HTTP_MS),
    });
    if (!response.ok) throw new Error(`download: ${response.status}`);
    return decrypt(Buffer.from(await response.arrayBuffer()), file).toString("base64");
  }
}
