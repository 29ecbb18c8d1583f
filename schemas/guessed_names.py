"""The words that columns are guessed to be: what their values are like, and the names that such columns have."""

from collections.abc import Mapping
from typing import Literal

# How a column's values are judged: by a kind of the mapping, or by their shape.
Test = Literal[
    "mobile", "email", "date", "integer", "boolean", "gender", "name", "place", "code", "unique", "word",
]  # fmt: skip

# Extended fields are the platform's own names; whether an organisation has switched them on, `check` tells.
EXTENDED: Mapping[str, str] = {
    "gender": "gender",
    "dob": "date",
    "wedding_date": "date",
    "city": "text",
    "state": "text",
    "zip": "text",
    "kid_count": "integer",
    "last_visit": "datetime",
}

# Of each target how its values are judged, what they are called, and the names that columns of it have. A name is
# compared without case, accents, spaces and punctuation.
TARGETS: Mapping[str, tuple[Test, str, str]] = {
    "identifiers.externalId": (
        "unique",
        "values of their own",
        "member no, member id, member number, member key, member code, membership no, membership id, membership number,"
        " customer id, customer no, customer number, customer key, customer code, cust id, cust no, cust code,"
        " client id, client no, user id, account no, account id, external id, loyalty id, loyalty no, crm id, id,"
        " kundennummer, kundennr, kunden nr, mitgliedsnummer, numéro client, code client, id client, id cliente,"
        " número de cliente, numero cliente, código cliente, codice cliente, número de socio, klantnummer,"
        " nomor anggota, id pelanggan, kode pelanggan, mã khách hàng, müşteri no, 会員番号, 会員ID, 顧客番号,"
        " 顧客ID, 会员号, 会员编号, 客户编号, 會員編號, 회원번호, 고객번호, รหัสลูกค้า, รหัสสมาชิก,"
        " رقم العضوية, رقم العميل, номер клиента, सदस्य संख्या, ग्राहक संख्या",
    ),
    "identifiers.mobile": (
        "mobile",
        "mobiles",
        "mobile, mobile no, mobile number, mobile phone, phone, phone no, phone number, tel, tel no, telephone,"
        " telephone number, cell, cellphone, cell phone, contact no, contact number, msisdn, handy, handynummer,"
        " telefon, telefonnummer, mobil, mobilnummer, téléphone, portable, numéro de téléphone, teléfono, móvil,"
        " celular, telefone, telemóvel, cellulare, telefono, telefoon, no hp, nomor hp, nomor telepon, telepon,"
        " số điện thoại, điện thoại, cep telefonu, 電話, 電話番号, 携帯電話, 携帯番号, 携帯電話番号, 手机, 手机号,"
        " 手机号码, 电话, 手機, 手機號碼, 전화번호, 휴대폰, 휴대폰번호, 휴대전화, เบอร์โทร, เบอร์โทรศัพท์, เบอร์มือถือ,"
        " الجوال, رقم الجوال, رقم الهاتف, الهاتف, телефон, мобильный телефон, मोबाइल, मोबाइल नंबर, फोन",
    ),
    "identifiers.email": (
        "email",
        "e-mail addresses",
        "email, mail, email address, mail address, email id, mail id, emailaddr, courriel, adresse mail,"
        " adresse email, correo, correo electrónico, endereço de email, indirizzo email, surel, e posta, メール,"
        " メールアドレス, Eメール, 邮箱, 电子邮箱, 电子邮件, 電子郵件, 이메일, อีเมล, البريد الإلكتروني,"
        " электронная почта, почта, ईमेल",
    ),
    "identifiers.cardnumber": (
        "code",
        "codes",
        "card no, card number, card, card id, loyalty card, loyalty card no, loyalty card number, kartennummer,"
        " numéro de carte, número de tarjeta, nomor kartu, カード番号, 卡号, 会员卡号, 카드번호",
    ),
    "cardnumber.seriesCode": ("code", "codes", "card series, series code, card series code, series"),
    "firstName": (
        "name",
        "names",
        "first name, firstname, fname, given name, forename, first, vorname, prénom, nombre, nome, primeiro nome,"
        " voornaam, nama depan, tên, ad, 名, ชื่อ, الاسم الأول, имя, पहला नाम",
    ),
    "lastName": (
        "name",
        "names",
        "last name, lastname, lname, surname, family name, last, nachname, familienname, nom, nom de famille,"
        " apellido, apellidos, sobrenome, cognome, achternaam, nama belakang, họ, soyad, 姓, นามสกุล, اسم العائلة,"
        " фамилия, उपनाम",
    ),
    "name": (
        "name",
        "names",
        "name, full name, customer name, member name, kundenname, nom complet, nombre completo, nome completo, nama,"
        " nama lengkap, họ tên, họ và tên, 氏名, お名前, 姓名, 名前, 이름, 성명, ชื่อ นามสกุล, الاسم, الاسم الكامل,"
        " ФИО, नाम, पूरा नाम",
    ),
    "extendedFields.gender": (
        "gender",
        "words for a gender",
        "gender, sex, geschlecht, sexe, sexo, género, genere, sesso, jenis kelamin, giới tính, cinsiyet, 性別, 性别,"
        " 성별, เพศ, الجنس, пол, लिंग",
    ),
    "extendedFields.dob": (
        "date",
        "dates",
        "dob, date of birth, birth date, birthdate, birthday, birth day, geburtsdatum, geburtstag,"
        " date de naissance, fecha de nacimiento, data de nascimento, data di nascita, geboortedatum, tanggal lahir,"
        " tgl lahir, ngày sinh, doğum tarihi, 生年月日, 誕生日, 生日, 出生日期, 생년월일, 생일, วันเกิด, تاريخ الميلاد,"
        " дата рождения, जन्म तिथि, जन्मतिथि",
    ),
    "extendedFields.wedding_date": (
        "date",
        "dates",
        "wedding date, wedding day, anniversary, anniversary date, wedding anniversary, doa, hochzeitstag,"
        " date de mariage, 結婚記念日, 结婚纪念日",
    ),
    "extendedFields.city": (
        "place",
        "words without digits",
        "city, town, city name, ville, ciudad, cidade, città, stadt, ort, wohnort, plaats, kota, thành phố, şehir,"
        " 市区町村, 市, 城市, 도시, เมือง, المدينة, город, शहर",
    ),
    "extendedFields.state": (
        "place",
        "words without digits",
        "state, province, region, state name, bundesland, provincia, estado, provinsi, tỉnh, 都道府県, 省, 省份,"
        " 시도, จังหวัด, المنطقة, область, राज्य",
    ),
    "extendedFields.zip": (
        "code",
        "codes",
        "zip, zip code, zipcode, postal code, postcode, post code, pincode, pin code, plz, postleitzahl, code postal,"
        " código postal, cep, kode pos, 郵便番号, 邮编, 邮政编码, 우편번호, รหัสไปรษณีย์, الرمز البريدي, индекс,"
        " पिन कोड",
    ),
    "extendedFields.kid_count": (
        "integer",
        "whole numbers",
        "kids, kid count, children, child count, no of kids, no of children, number of children, total children",
    ),
    "extendedFields.last_visit": (
        "date",
        "dates",
        "last visit, last visit date, last visited, last purchase date, last transaction date, 最終来店日",
    ),
    "createDate": (
        "date",
        "dates",
        "registered at, registered on, registration date, register date, reg date, created at, created on,"
        " create date, created date, creation date, join date, joined, joined on, joined at, joining date, doj,"
        " date joined, member since, became member on, enrolled on, enrolment date, enrollment date, signup date,"
        " sign up date, anmeldedatum, eintrittsdatum, date d'inscription, fecha de alta, fecha de registro,"
        " data de cadastro, data di iscrizione, tanggal daftar, tanggal bergabung, ngày đăng ký, 入会日, 登録日,"
        " 注册日期, 注册时间, 入会日期, 가입일, วันที่สมัคร, تاريخ التسجيل, дата регистрации",
    ),
    "updated_at": (
        "date",
        "dates",
        "updated at, updated on, updated, update date, update time, last updated, last update, modified at,"
        " modified on, modified, modified date, last modified, last modified date, changed at, change date,"
        " geändert am, date de modification, fecha de modificación, data de atualização, 更新日, 更新日時, 更新时间,"
        " 수정일, дата изменения",
    ),
    "associatedWith": (
        "code",
        "codes",
        "till, till code, till id, till no, pos, pos id, pos code, terminal, terminal id, registered till, kasse",
    ),
    "store": (
        "word",
        "words",
        "store, store code, store id, store no, store name, home store, outlet, outlet code, shop, shop code, branch,"
        " branch code, filiale, magasin, tienda, loja, negozio, toko, cửa hàng, mağaza, 店舗, 店舗コード, 门店, 門市,"
        " 매장, สาขา, الفرع, магазин",
    ),
    "status": (
        "word",
        "words",
        "status, membership status, member status, account status, customer status, active, is active, ステータス,"
        " 状态, 상태, สถานะ, الحالة, статус",
    ),
    "commChannels.mobile.subscribed": (
        "boolean",
        "yes or no",
        "sms ok, sms opt in, sms optin, sms consent, sms subscribed, sms marketing, mobile opt in, mobile optin,"
        " mobile consent, mobile subscribed, opt in sms, consent sms, sms permission",
    ),
    "commChannels.mobile.verified": (
        "boolean",
        "yes or no",
        "phone verified, mobile verified, is mobile verified, otp verified, mobile no verified",
    ),
    "commChannels.email.subscribed": (
        "boolean",
        "yes or no",
        "email ok, email opt in, email optin, email consent, email subscribed, email marketing, opt in email,"
        " consent email, newsletter, email permission",
    ),
    "commChannels.email.verified": ("boolean", "yes or no", "email verified, is email verified, mail verified"),
    "loyaltyPoints": (
        "integer",
        "whole numbers",
        "points, point, pts, points balance, point balance, loyalty points, reward points, available points,"
        " current points, redeemable points, balance points, punkte, puntos, pontos, punti, poin, điểm, puan,"
        " ポイント, ポイント残高, 积分, 积分余额, 積分, 點數, 포인트, คะแนน, แต้ม, النقاط, баллы, अंक",
    ),
    "pointsExpiryDate": (
        "date",
        "dates",
        "points until, points expiry, points expiry date, point expiry, point expiry date, points expire on,"
        " points valid until, points expiration date, ポイント有効期限, 积分有效期, 포인트 만료일",
    ),
    "tierNumber": (
        "integer",
        "whole numbers",
        "tier, tier number, tier no, tier level, slab, slab number, slab no, loyalty tier, membership tier,"
        " membership level, level, grade, rank, stufe, ランク, 会員ランク, 等级, 会员等级, 등급, ระดับ",
    ),
    "tierExpiryDate": (
        "date",
        "dates",
        "tier until, tier expiry, tier expiry date, tier valid until, slab expiry, slab expiry date,"
        " tier expiration date, level expiry date",
    ),
    "programId": (
        "integer",
        "whole numbers",
        "program id, programme id, program, programme, loyalty program, loyalty program id, loyalty programme id",
    ),
    "points_id": (
        "code",
        "codes",
        "statement no, statement id, statement number, statement, transaction id, transaction no, txn id, txn no,"
        " batch no, batch id",
    ),
}

# Words around a name that say nothing: `cust_email_1` is an email.
AROUND = "customer cust member client user contact primary main personal registered current the"
