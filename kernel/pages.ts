// Pages for people whose address more than one context writes.

/** identity's, where a person asks for a link that sets a new password. */
export const FORGOT_PAGE = '/api/auth/forgot';
