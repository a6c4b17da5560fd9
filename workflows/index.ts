// The only entry of the workflow bundle: what is exported here is what can be started.
export { accountMail } from './account-mail';
export { booking } from './booking';
export { dailyContacts } from './daily-contacts';
export { dailyDebts } from './daily-debts';
export { dailyDisputes } from './daily-disputes';
export { dailyFolds } from './daily-folds';
export { debt } from './debt';
export { dispute } from './dispute';
export { emailChange } from './email-change';
export { payment } from './payment';
export { payout } from './payout';
export { refund } from './refund';
export { suspension } from './suspension';
export { sweep } from './sweep';
export { tutorAccount } from './tutor-account';
export { userCreation } from './user-creation';
export { weeklyPayouts } from './weekly-payouts';
