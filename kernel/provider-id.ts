/** A provider's id, as it stands in settings, in paths and in what a session says of how it began. */
export const PROVIDER_ID = /^[a-z0-9]{1,32}$/;
