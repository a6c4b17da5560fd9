import type { Words } from './words';

/** The words of messages about an account itself. */
export const ACCOUNT_MESSAGES = {
  welcome_verify_email: {
    subject: 'Welcome to TutorConnect: please confirm your e-mail address',
    heading: 'Welcome to TutorConnect',
    lead: 'Your account is ready. Please confirm that this e-mail address is yours.',
    more: ['The link works once, for 24 hours. If you did not sign up, ignore this message.'],
    action: 'Confirm e-mail address',
  },
  verify_email: {
    subject: 'Please confirm your e-mail address',
    heading: 'Is this your e-mail address?',
    lead: 'Please confirm that this e-mail address is yours.',
    more: [
      'The link works once, for 24 hours, and takes the place of those that were sent before. If you have no account with us, ignore this message.',
    ],
    action: 'Confirm e-mail address',
  },
  welcome: {
    subject: 'Welcome to TutorConnect',
    heading: 'Welcome to TutorConnect',
    lead: 'Your account is ready.',
    more: ['If you did not sign up, please answer this message.'],
    action: 'Open TutorConnect',
  },
  password_reset: {
    subject: 'Reset your TutorConnect password',
    heading: 'Choose a new password',
    lead: 'Somebody asked to reset the password of your account.',
    more: [
      '{{#if providers}}Your account has no password: you sign in with {{providers}}. You can go on doing so, or choose a password as well.{{/if}}',
      'If it was you, choose a new password by the link below; it works once and for a short time. If not, ignore this message: your password stays as it is.',
    ],
    action: 'Choose a new password',
  },
  password_changed: {
    subject: 'Your TutorConnect password was changed',
    heading: 'Your password was changed',
    lead: 'The password of your account was changed, and other devices were signed out.',
    more: [
      'If it was you, all is well. If not, somebody else may know it: choose a new one at once by the link below, which signs everybody out.',
    ],
    action: 'Choose a new password',
  },
  sign_in_linked: {
    subject: 'You can sign in to TutorConnect with {{provider}}',
    heading: 'A way to sign in was added',
    lead: 'From now on your account can be opened with {{provider}}.',
    more: [
      'If it was you, all is well. If not, somebody else has your account: choose a new password at once by the link below, which signs everybody out, then remove this way to sign in.',
    ],
    action: 'Choose a new password',
  },
  sign_in_unlinked: {
    subject: 'You no longer sign in to TutorConnect with {{provider}}',
    heading: 'A way to sign in was removed',
    lead: 'Your account cannot be opened with {{provider}} any more.',
    more: [
      'If it was you, all is well. If not, somebody else has your account: choose a new password at once by the link below, which signs everybody out.',
    ],
    action: 'Choose a new password',
  },
  second_factor_added: {
    subject: 'Your TutorConnect account asks for a second factor',
    heading: 'A second factor was set up',
    lead: 'From now on a sign-in to your account asks for a code of an authenticator app. Other devices were signed out.',
    more: [
      'If it was you, all is well: keep the recovery codes where you find them without the app. If not, somebody else knows your password: choose a new one at once by the link below, which signs everybody out, and tell us.',
    ],
    action: 'Choose a new password',
  },
  second_factor_removed: {
    subject: 'Your TutorConnect account asks for no second factor any more',
    heading: 'The second factor was removed',
    lead: 'A sign-in to your account asks for the password alone again. Other devices were signed out.',
    more: [
      'If it was you, all is well. If not, somebody else knows your password: choose a new one at once by the link below, which signs everybody out.',
    ],
    action: 'Choose a new password',
  },
  passkey_added: {
    subject: 'Your TutorConnect account has a new passkey',
    heading: 'A passkey was added',
    lead: 'A passkey was added to your account. It signs in beside your password, in place of a code.',
    more: [
      'If it was you, all is well. If not, somebody else knows your password: choose a new one at once by the link below, which signs everybody out, and remove the passkey.',
    ],
    action: 'Choose a new password',
  },
  passkey_removed: {
    subject: 'A passkey of your TutorConnect account was removed',
    heading: 'A passkey was removed',
    lead: 'A passkey was removed from your account. The codes of your authenticator app work as before.',
    more: [
      'If it was you, all is well. If not, somebody else was signed in as you: choose a new password at once by the link below, which signs everybody out.',
    ],
    action: 'Choose a new password',
  },
  email_change_confirm: {
    subject: 'Please confirm your new e-mail address',
    heading: 'Is this your new e-mail address?',
    lead: 'Somebody asked to reach an account by this e-mail address from now on.',
    more: [
      'If it was you, confirm it by the link below. It works for 24 hours, and you sign in with this address then. If not, ignore this message: nothing is changed.',
    ],
    action: 'Confirm the new address',
  },
  email_change_asked: {
    subject: 'Somebody asks to change the e-mail address of your account',
    heading: 'Do you want to change your e-mail address?',
    lead: 'Somebody who knows your password asked to change the e-mail address of your account.',
    more: [
      'If it was you, look into the mailbox of the new address. If not, choose a new password at once by the link below: it signs everybody out, and the address stays as it is.',
    ],
    action: 'Choose a new password',
  },
  email_change_taken: {
    subject: 'Your e-mail address was not changed',
    heading: 'Your e-mail address was not changed',
    lead: 'Somebody else has an account with the new address by now, so yours keeps the one that it had.',
    more: ['You can ask for another address in your account.'],
    action: 'View your account',
  },
  email_changed: {
    subject: 'Your e-mail address was changed',
    heading: 'Your e-mail address was changed',
    lead: 'Your account is reached by this e-mail address from now on, and other devices were signed out.',
    more: [],
    action: 'View your account',
  },
  email_changed_revert: {
    subject: 'Your account has another e-mail address',
    heading: 'Your account has another e-mail address',
    lead: 'The e-mail address of your account was changed, and messages go to the new one.',
    more: [
      'If it was you, all is well. If not, take it back by the link below, within seven days: it signs everybody out, and you choose a new password.',
    ],
    action: 'Take it back',
  },
  role_changed: {
    subject: 'Your role at TutorConnect has changed',
    heading: 'You have another role',
    lead: 'From now on you are {{role}} at TutorConnect.',
    more: [
      '{{#if tutor}}Complete your profile, say when you have time and what an hour costs, and students can find you.{{else}}Please sign in again.{{/if}}',
    ],
    action: 'Go to your account',
  },
} as const satisfies Readonly<Record<string, Words>>;
