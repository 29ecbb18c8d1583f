"""The API's codes as an element or a body of the bulk customer API carries them (contract: sections 4.2 and 5).

Two lines per entry: `codes | class as an error | class as a warning | cause`, then what to do next. A range is
`8070-8073`; `@register` holds an entry to that operation. Later entries win over earlier ones, so a range
stands before its exceptions. The classes are those of `schemas.codes.CodeClass`.

The same numbers mean other things on transactions, coupons and points; those senses are left out on purpose.
"""

CODE_TABLE = """
# The request as a whole: HTTP statuses, and codes that speak of the batch

400 | data | loss | The API calls the input invalid.
    Compare the row with the mapping; a batch is halved until the row that causes it stands alone.
401 | auth | loss | The API does not know these credentials, or the token has expired.
    Check key and secret of the API client; the load can be resumed.
403 | data | loss | A mandatory field is missing, or these credentials may not do this.
    Fill the mandatory field; if every row says so, ask for the access group "Customer" with write.
404-405 415 | config | loss | The host, the path or the content type is not what the API serves.
    Check host and path of the job's target; the other spelling of the path may be the right one.
408 499 500 502-504 520 522-524 | reconcile | loss | The API or a gateway failed, and nothing says what was applied.
    The rows are looked up before anything is sent again.
429 | retry | reconcile | More calls were made than the organisation's quota allows.
    Nothing: the load waits and goes on; lower the rate if this is frequent.
461 | retry | loss | The API's search engine is busy.
    Nothing: the row is sent again later.
521 | retry | reconcile | Another action on the same customer was running at the same time.
    Nothing: the row is sent again later, alone; stop other loads of the same customers if it stays.
413 1060 | limit | loss | The batch is larger than the API takes.
    Nothing: batches become smaller; lower the batch size of the job to save calls.
1061 | config | loss | One of two headers that name another till is missing.
    Set both lookup headers or none.
1062 | config | loss | The test-control status is invalid.
    Remove or correct the test-control setting.
1064 | config | loss | The organisation id is invalid.
    Check the organisation that the credentials belong to.
1000 | reconcile | note | The API's own code for success.
    Nothing, if it is a warning; as an error it contradicts itself, and the row is looked up.

# Source, account, store: what the job or the organisation is set up with

8001 8003-8004 8011-8012 8016 8127 | config | loss | The source or its account is missing or invalid.
    Set source and account of the job to ones that the organisation has.
8045 8054 8091 | config | loss | The source has several accounts, and none was named.
    Set the account id of the job.
8126 | config | loss | The context of the child organisation is missing.
    Use credentials of the child organisation.
8100-8102 8120 | config | loss | A limit of a list call was not kept.
    Report this as a bug of bulkload.
1004 1150 8077 8085 91020-91021 | setup | loss | The store or till that the row names is unknown or inactive.
    Correct the code or create the store; as a warning, the row was stored without it.
8107-8108 | setup | loss | A customer status label is invalid, or the organisation has no default label.
    Correct the label or set a default customer status label in the organisation.
1701-1711 | setup | loss | The company or hierarchy is unknown, inactive, duplicate or cyclic.
    Load or correct companies and hierarchies first, then send the row again.

# Whom the row means

816 1011-1012 8009 8015 8065 | data | loss | No customer has these identifiers in this source.
    Check the identifiers; to create customers, load with register or upsert.
816 1011-1012 8009 8015 8065 @register | data | loss | A customer that the row refers to was not found.
    Load the parent or referrer first, then send the row again.
1006-1007 1019 1039 1043 1045 1059 | data | loss | An identifier that the organisation requires is missing.
    Fill the required mobile, e-mail or external id.
8014 | data | loss | The primary identifier is invalid.
    Correct it; if every row says so, the organisation's rules for mobile numbers are not set.
1001 8056 | data | loss | The mobile number is invalid.
    Correct it: digits only, country code first; as a warning, the row was stored without it.
1002 8055 | data | loss | The e-mail address is invalid.
    Correct it; as a warning, the row was stored without it.
1003 8020 8064 | data | loss | The external id breaks the organisation's rule for prefix or length.
    Correct it; as a warning, the row was stored without it.
1015 1042 1104 8002 8005 8013 8092-8093 | data | loss | The row has no identifier that the API accepts.
    Fill or correct at least one identifier.
8119 | data | loss | The list of ids is empty.
    Fill or correct at least one identifier.
8084 | data | loss | The customer's details are missing.
    Check that the mapping fills the profile.
1014 8006 8028 | duplicate | loss | The customer exists already in this source.
    Look at the stored customer; to change it, load with update or upsert.
8007-8008 | data | loss | An identifier of the row belongs to another profile of the same source.
    Decide which customer owns the identifier, then correct the row.
1016 1032-1033 91007 | data | loss | The mobile, e-mail or external id is held by another customer.
    Decide which customer owns the identifier, then correct the row.
1047 8074-8075 | data | loss | The identifiers of the row belong to several customers.
    Split the row, or correct the identifiers so that they name one customer.
8052-8053 | data | reconcile | The identifiers belong to customers that the API cannot merge.
    Review the customers concerned and correct the identifiers.
8050 | reconcile | note | The same customer exists in other sources, and the accounts were combined.
    Nothing; review the row if it should have stayed a customer of its own.
8051 8067 | reconcile | loss | The customer is or was merged into another account.
    Review the surviving account: which of the row's values it kept is not said.
8066 | data | loss | The accounts cannot be combined, or were merged before.
    Review the customers that share these identifiers.
8069 91009 | duplicate | loss | The customer was merged into another account, which survives.
    Use the identifiers of the surviving account.
8070-8073 | done | note | Nothing had to change: the value or identifier is already this customer's.
    Nothing.
8070-8073 @register | duplicate | note | The customer exists already and holds these values.
    Look at the stored customer; to change it, load with update or upsert.
8090 | data | loss | There is no in-store profile to attach this one to.
    Load the customers of source INSTORE first.
618 | data | loss | The customer is marked as fraud.
    Leave the row out, or have the mark reviewed.
8026 8109 | data | loss | The personal data of this customer was deleted on request.
    Leave the row out; never load it again.

# What the row wants stored

8057-8058 | data | loss | A communication channel has an invalid e-mail or mobile.
    Correct the channel's value; as a warning, the row was stored without it.
1101 8010 8106 | data | loss | The type of a communication channel is missing or invalid.
    Map the channel to a type that the API knows.
91022 1106-1110 | data | loss | A subscription could not be stored.
    Check channel, priority and type of the subscription.
1034 8017 | data | loss | The registration date is invalid or outside the organisation's limits.
    Correct the date, or leave it out.
1046 8018 | data | loss | A loyalty customer cannot become a non-loyalty customer.
    Leave loyaltyType out or send "loyalty".
1048-1049 | data | loss | An e-mail or external id is required to become a loyalty customer.
    Fill the missing identifier.
1013 1020 8089 8121 | data | loss | The customer is not in the loyalty programme.
    Make the row a loyalty customer first.
8068 | data | loss | The customer is a campaign user, not a loyalty customer.
    Send loyaltyType "loyalty" if the customer should join.
8086 3016 | data | loss | The status label is invalid.
    Use a label that the organisation defines.
1017-1018 1022 | data | loss | A custom field is invalid or was not stored.
    Check the field's name, type and options in the organisation.
91005-91006 | data | loss | A field is the primary identifier, or may not be changed.
    Leave the field out of the mapping.
91015 | data | loss | An extended field could not be stored, or its value is too long.
    Shorten or correct the value.
extended_field | data | loss | An extended field has a name that the organisation does not know.
    Enable the field in the organisation or correct its name in the mapping.
1053 | data | loss | The preferred store was not found.
    Correct the store or create it.
1213-1217 | data | loss | The programme id or one of the enrolment's dates is invalid.
    Check the programme id; dates must be in order, in the future and within 100 years.
8027 | data | loss | A parent cannot be added without its child.
    Send the parent in the row of its child.

# Secondary steps: the customer may be stored although they failed

8059-8060 | reconcile | note | The customer was stored; telling the search index or the subscription queue failed.
    Nothing: searches show the change later.
8061-8063 8088 91001-91004 | reconcile | note | Reading back score, points, segment, tier or status failed.
    Nothing: what was read back is not what was stored.
91011-91014 | reconcile | loss | The customer's tier could not be read, or a limit of tiers was reached.
    Check the customer's tier.
889 1086-1087 19223 | reconcile | loss | The customer was saved, but the points were not processed.
    Compare the customer's points before sending any again.
900 | retry | reconcile | Earlier events of this customer still wait to be processed.
    Nothing: the row is sent again later.
1009-1010 1023-1024 1088 10001-10002 | reconcile | loss | Storing the profile, enrolment or points failed midway.
    The row is looked up before it is sent again.

# Cards

3000-3050 8087 | data | loss | The card is not acceptable: its series, number, status or owner.
    Check the card's series, number and status in the organisation.
3009 | data | loss | The card number exists already.
    Check to whom the card belongs.
3010 | data | loss | The card number does not exist in this series.
    Correct the number, or create the card first.
3012 | duplicate | note | The card has this status already.
    Leave the card's status out of the row.
3017 | data | loss | The card's status label is invalid.
    Use a label that the organisation defines.
3036 | data | loss | The customer has as many active cards as are allowed.
    Deactivate a card first.
3038 | data | loss | The card cannot change to this status.
    Check which changes of status the organisation allows.
3039 | duplicate | loss | The card needs no update, or the customer has as many active cards as are allowed.
    Compare the customer's cards with the row.
3042 | data | loss | The card's customer was deleted.
    Leave the row out.
3045-3046 3050 | data | loss | The card's external id does not match the card.
    Correct the card's number or external id.

# Groups, parents and children

1600-1650 | data | loss | The group, its hierarchy or a role in it does not allow this.
    Check hierarchy, role and members of the group.
1605 1618 1638 | data | loss | The group or the parent has as many members as its role allows.
    Raise the limit of the role or remove members.
1607 1609-1610 1615-1616 | data | loss | The role or the hierarchy is unknown.
    Correct the role or hierarchy code.
1617 | data | loss | The child's role does not fit the parent's.
    Correct the child role code.
1621 | data | loss | A customer of the group was not found.
    Load this customer first.
1622 | data | loss | Parent and child belong to different companies.
    Correct the company of one of them.
1625 | data | loss | The parent is not part of the hierarchy yet.
    Load the parent first.
1626-1628 | data | loss | The customer is already in another hierarchy, role or company, which cannot be changed.
    Leave the association out, or have it changed in the organisation.
1636 | duplicate | note | The customer is already a member of the group.
    Leave the association out of the row.
1642 1648 | data | loss | The group's primary or default member clashes.
    Name one primary member.
"""
