export * from './bookings';
export * from './payouts';
export * from './refunds';
export * from './rows';
export * from './settlements';
export * from './soundness';
export * from './stack';
export * from './webhooks';
