import { z } from 'zod';
import { MOST_MINOR_UNITS } from '../../../kernel/currencies';
import { ActReason } from '../../../platform/audit';
import { endpoint } from '../../../platform/endpoint';
import { Currency, IdParams, inQuery, PageQuery, pageOf, Subject, text } from '../../../platform/schemas';
import { Availability, FreeSlot, KnownAvailability, SlotQuery } from './availability';
import { PricingBody, PricingOption } from './pricing';
import { Certification, CertificationBody, OwnTutor, ProfileBody, ProfilePatch, Tutor } from './profile';

/** Why: whoever asks later is to understand it. */
export const VerifyTutorRequest = z.strictObject({ reason: ActReason }).meta({ id: 'VerifyTutorRequest' });

const TutorSort = z.enum(['rating', 'price_asc', 'price_desc', 'newest']);
export type TutorSort = z.output<typeof TutorSort>;
const BY_PRICE: readonly TutorSort[] = ['price_asc', 'price_desc'];

export const TutorQuery = PageQuery.extend({
  q: text(0, 200).optional().meta({
    description:
      'Words that name, headline, biography or subjects contain; beginnings count, and any part of a text that is written without spaces',
  }),
  subject: Subject.optional().meta({ description: 'One of the subjects, in any case' }),
  language: text(1, 40).optional().meta({ description: 'One of the languages, in any case' }),
  minRating: inQuery(z.number().min(0).max(5)).optional(),
  currency: Currency.optional().meta({
    description: 'Only tutors whose prices are in it. Needed with `maxPrice` and to sort by price',
  }),
  maxPrice: inQuery(z.int().min(0).max(MOST_MINOR_UNITS)).optional().meta({
    description: 'Highest price of an hour in minor units; a tutor with several counts with the lowest',
  }),
  sort: TutorSort.default('rating'),
}).refine(
  ({ currency, maxPrice, sort }) => currency !== undefined || (maxPrice === undefined && !BY_PRICE.includes(sort)),
  {
    path: ['currency'],
    message: 'is needed: prices in different currencies cannot be compared',
  },
);
export type TutorQuery = z.output<typeof TutorQuery>;

/** What anybody, tutors and administrators may ask. */
export const peopleOperations = {
  listTutors: endpoint({
    method: 'get',
    path: '/api/tutors',
    operationId: 'listTutors',
    summary: 'Search tutors',
    description:
      'Only tutors that can be booked: with a completed profile, hours and an hourly price that can be charged.',
    access: 'anonymous',
    query: TutorQuery,
    replies: { 200: pageOf(Tutor) },
  }),
  getOwnTutor: endpoint({
    method: 'get',
    path: '/api/tutors/profile',
    operationId: 'getOwnTutor',
    summary: 'Read your own profile with its hours',
    access: ['tutor'],
    replies: { 200: OwnTutor },
    errors: ['not_found'],
  }),
  getTutor: endpoint({
    method: 'get',
    path: '/api/tutors/{id}',
    operationId: 'getTutor',
    summary: 'Read a tutor',
    access: 'anonymous',
    params: IdParams,
    replies: { 200: Tutor },
  }),
  listTutorSlots: endpoint({
    method: 'get',
    path: '/api/tutors/{id}/slots',
    operationId: 'listTutorSlots',
    summary: 'List the times at which a session could start',
    description: 'Every quarter hour whose session fits into the hours and meets no other session.',
    access: 'anonymous',
    params: IdParams,
    query: SlotQuery,
    replies: { 200: pageOf(FreeSlot) },
  }),
  createProfile: endpoint({
    method: 'post',
    path: '/api/tutors/profile',
    operationId: 'createTutorProfile',
    summary: 'Complete the empty profile that sign-up made',
    access: ['tutor'],
    idempotency: 'optional',
    body: ProfileBody,
    replies: { 201: Tutor },
    errors: ['profile_exists', 'not_found'],
  }),
  updateProfile: endpoint({
    method: 'patch',
    path: '/api/tutors/profile',
    operationId: 'updateTutorProfile',
    summary: 'Change fields of your profile',
    description:
      'Hours keep their local times when the zone changes; slots that are held or booked stay where they are.',
    access: ['tutor'],
    idempotency: 'optional',
    body: ProfilePatch,
    replies: { 200: Tutor },
    errors: ['not_found'],
  }),
  setAvailability: endpoint({
    method: 'put',
    path: '/api/tutors/availability',
    operationId: 'setTutorAvailability',
    summary: 'Replace your hours',
    description: 'Sessions that are booked stay. The zone becomes that of the profile.',
    access: ['tutor'],
    idempotency: 'optional',
    body: Availability,
    replies: { 200: KnownAvailability },
    errors: ['not_found'],
  }),
  setPricing: endpoint({
    method: 'put',
    path: '/api/tutors/pricing',
    operationId: 'setTutorPricing',
    summary: 'Replace your prices',
    description:
      'All in one currency, of those that the platform takes. Half an hour costs at least what can be charged. The first hourly option is the default; an option that stays keeps its id.',
    access: ['tutor'],
    idempotency: 'optional',
    body: PricingBody,
    replies: { 200: z.strictObject({ options: z.array(PricingOption) }) },
    errors: ['not_found'],
  }),
  addCertification: endpoint({
    method: 'post',
    path: '/api/tutors/certifications',
    operationId: 'addCertification',
    summary: 'Add a certification',
    access: ['tutor'],
    idempotency: 'optional',
    body: CertificationBody,
    replies: { 201: Certification },
    errors: ['not_found', 'conflict'],
  }),
  removeCertification: endpoint({
    method: 'delete',
    path: '/api/tutors/certifications/{id}',
    operationId: 'removeCertification',
    summary: 'Remove a certification',
    access: ['tutor'],
    idempotency: 'optional',
    params: IdParams,
    replies: { 204: null },
  }),
  verifyTutor: endpoint({
    method: 'post',
    path: '/api/tutors/{id}/verify',
    operationId: 'verifyTutor',
    summary: 'Mark a tutor as verified',
    access: ['admin'],
    idempotency: 'optional',
    params: IdParams,
    body: VerifyTutorRequest,
    replies: { 200: Tutor },
  }),
} as const;
