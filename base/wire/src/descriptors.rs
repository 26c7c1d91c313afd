//! What the services look like, for gRPC server reflection.

/// The services of a server's TCP port and private socket: an encoded `FileDescriptorSet` with all imports.
pub const SERVER_DESCRIPTORS: &[u8] = include_bytes!("gen/server.descriptors.bin");

/// The service of an agent's public socket that is for Envoys: an encoded `FileDescriptorSet` with all imports.
pub const SECRET_DESCRIPTORS: &[u8] = include_bytes!("gen/secrets.descriptors.bin");

/// The services of an agent's admin socket: an encoded `FileDescriptorSet` with all imports.
pub const ADMIN_DESCRIPTORS: &[u8] = include_bytes!("gen/admin.descriptors.bin");

/// The service of an agent's public socket: an encoded `FileDescriptorSet` with all imports.
pub const WORKLOAD_DESCRIPTORS: &[u8] = include_bytes!("gen/workload.descriptors.bin");

#[cfg(test)]
mod tests;
