"""The word lists that names, places, goods and payments are drawn from."""

from __future__ import annotations

# region: (given names, family names, [(city, country)], currency)
REGIONS: tuple[tuple[str, str, tuple[tuple[str, str], ...], str], ...] = (
    (
        "Aoife Ciarán Niamh Declan Saoirse Eoin Róisín Fionn Orla Cormac",
        "Murphy Byrne O'Sullivan Walsh Kavanagh Gallagher Doyle Keane",
        (("Dublin", "Ireland"), ("Cork", "Ireland"), ("Galway", "Ireland")),
        "EUR",
    ),
    (
        "Lena Jonas Mia Felix Hannah Lukas Jürgen Sabine Björn Käthe",
        "Müller Schmidt Weber Schäfer Vogel Krüger Neumann Groß",
        (("Berlin", "Germany"), ("Hamburg", "Germany"), ("Vienna", "Austria"), ("Zürich", "Switzerland")),
        "EUR",
    ),
    (
        "Camille Hugo Chloé Louis Inès Théo Élodie Mathis Zoé Rémi",
        "Martin Lefèvre Dubois Moreau Garnier Rousseau Béranger Chevalier",
        (("Lyon", "France"), ("Nantes", "France"), ("Brussels", "Belgium"), ("Montréal", "Canada")),
        "EUR",
    ),
    (
        "Lucía Mateo Sofía Diego Valentina Andrés Carmen Joaquín Ximena Íñigo",
        "García Fernández Núñez Ortega Ibáñez Morales Castillo Peña",
        (("Madrid", "Spain"), ("Valencia", "Spain"), ("Mexico City", "Mexico"), ("Bogotá", "Colombia")),
        "EUR",
    ),
    (
        "Giulia Matteo Chiara Lorenzo Elisa Nicolò Bianca Tommaso Ada Enzo",
        "Rossi Ferrari Colombo Ricci Marchetti Gallo Conti Bruno",
        (("Milan", "Italy"), ("Bologna", "Italy"), ("Turin", "Italy")),
        "EUR",
    ),
    (
        "Astrid Lars Freja Søren Linnéa Henrik Åsa Mikkel Tuuli Aino",
        "Johansson Nielsen Hansen Lindqvist Bergström Sørensen Virtanen Dahl",
        (("Stockholm", "Sweden"), ("Copenhagen", "Denmark"), ("Helsinki", "Finland"), ("Oslo", "Norway")),
        "EUR",
    ),
    (
        "Zofia Jakub Agnieszka Piotr Małgorzata Tomáš Eliška Łukasz Petra Ondřej",
        "Kowalska Nowak Wiśniewska Zieliński Novotný Dvořák Horák Szymański",
        (("Warsaw", "Poland"), ("Kraków", "Poland"), ("Prague", "Czechia"), ("Brno", "Czechia")),
        "EUR",
    ),
    (
        "Oliver Amelia Harry Imogen Callum Freya Alfie Priyanka Rhys Eilidh",
        "Taylor Hughes Campbell Evans Okafor Patel Robertson Clarke",
        (("London", "United Kingdom"), ("Leeds", "United Kingdom"), ("Glasgow", "United Kingdom")),
        "GBP",
    ),
    (
        "Emily Marcus Jasmine Tyler Brianna Caleb Naomi Ethan Destiny Wyatt",
        "Johnson Nguyen Ramirez Bennett Washington Cohen Reed Sullivan",
        (("Portland", "United States"), ("Austin", "United States"), ("Chicago", "United States")),
        "USD",
    ),
    (
        "Aarav Ananya Vikram Meera Rohan Kavya Arjun Divya Sanjay Leela",
        "Sharma Iyer Reddy Banerjee Mehta Nair Kulkarni Kapoor",
        (("Bengaluru", "India"), ("Pune", "India"), ("Kolkata", "India"), ("Singapore", "Singapore")),
        "USD",
    ),
    (
        "Wei Mei Haruto Yuki Minjun Seoyeon Xin Sakura Linh Bao",
        "Chen Tanaka Kim Wang Nakamura Park Liu Tran",
        (("Taipei", "Taiwan"), ("Osaka", "Japan"), ("Seoul", "South Korea"), ("Hanoi", "Vietnam")),
        "USD",
    ),
    (
        "Amara Kwame Zainab Tunde Nia Sipho Leila Omar Yasmin Chidi",
        "Adeyemi Mensah Dlamini Haddad Mwangi El-Amin Diallo Bekele",
        (("Lagos", "Nigeria"), ("Accra", "Ghana"), ("Nairobi", "Kenya"), ("Casablanca", "Morocco")),
        "USD",
    ),
    (
        "Beatriz Thiago Larissa João Rafaela Caio Inês Duarte Luana Otávio",
        "Silva Oliveira Souza Carvalho Araújo Teixeira Gonçalves Barbosa",
        (("São Paulo", "Brazil"), ("Recife", "Brazil"), ("Lisbon", "Portugal"), ("Porto", "Portugal")),
        "EUR",
    ),
)

STREETS = (
    "Harbour Street", "Mill Lane", "Station Road", "Linden Avenue", "Castle Walk", "Orchard Row",
    "Bridge Street",
    "Garden Terrace", "Market Square", "Riverside", "Chapel Hill", "Park View",
)  # fmt: skip

# stock number, name, price in cents
GOODS: tuple[tuple[str, str, int], ...] = (
    ("AUD-110", "Aurora wireless headphones", 11990),
    ("AUD-120", "Pocket Bluetooth speaker", 4950),
    ("AUD-131", "In-ear headphones with case", 7900),
    ("CAB-201", "Braided USB-C cable, 2 m", 1000),
    ("CAB-214", "Travel power adapter", 2490),
    ("CAB-230", "65 W wall charger", 3990),
    ("DSK-301", "Walnut desk organiser", 3450),
    ("DSK-312", "Adjustable laptop stand", 4290),
    ("DSK-325", "LED desk lamp with dimmer", 5900),
    ("DSK-340", "Standing desk mat", 6490),
    ("KEY-401", "Compact mechanical keyboard", 9900),
    ("KEY-415", "Quiet wireless mouse", 3290),
    ("KEY-422", "Keyboard wrist rest", 1990),
    ("CAM-501", "1080p webcam with cover", 6900),
    ("CAM-510", "Tabletop tripod", 2590),
    ("MON-601", "27-inch monitor", 28900),
    ("MON-620", "Single monitor arm", 8900),
    ("BAG-701", "Waxed canvas backpack", 12900),
    ("BAG-710", "Laptop sleeve, 14 inch", 2990),
    ("BAG-722", "Packing cubes, set of three", 2690),
    ("KIT-801", "Pour-over coffee set", 4690),
    ("KIT-810", "Insulated bottle, 750 ml", 2790),
    ("KIT-823", "Cast-iron skillet, 26 cm", 5490),
    ("KIT-835", "Digital kitchen scale", 2990),
    ("KIT-841", "Chef's knife, 20 cm", 7490),
    ("HOM-901", "Merino throw blanket", 8900),
    ("HOM-912", "Linen duvet cover, double", 11900),
    ("HOM-920", "Ceramic plant pot, large", 3690),
    ("HOM-933", "Oil diffuser", 4490),
    ("HOM-945", "Set of four wine glasses", 3200),
    ("OUT-101", "Two-person tent", 18900),
    ("OUT-112", "Rechargeable head torch", 3990),
    ("OUT-120", "Trekking poles, pair", 6490),
    ("OUT-133", "Waterproof dry bag, 20 l", 2490),
    ("FIT-201", "Natural rubber yoga mat", 6900),
    ("FIT-210", "Adjustable dumbbell, 20 kg", 14900),
    ("FIT-222", "Foam roller", 2290),
    ("BOK-301", "Dotted notebook, A5", 1490),
    ("BOK-310", "Fountain pen, medium nib", 3890),
    ("BOK-325", "Watercolour set, 24 colours", 2990),
)

CARRIERS: tuple[tuple[str, str], ...] = (
    ("Northline Express", "NLX"), ("Harbour Post", "HBP"), ("BlueVan Delivery", "BVD"),
)  # fmt: skip

PAYMENT_METHODS = ("Visa ending in 4242", "Mastercard ending in 5454", "PayPal", "Bank transfer", "Apple Pay")

# kind, text on the statement, least and greatest amount in cents
SPENDING: tuple[tuple[str, str, int, int], ...] = (
    ("card_payment", "Greenleaf Market", 640, 11800),
    ("card_payment", "Corner Bakery", 280, 1650),
    ("card_payment", "Metro Transit top-up", 1000, 4000),
    ("card_payment", "Harbour Books", 990, 5400),
    ("card_payment", "Cinema Lumière", 1150, 3800),
    ("card_payment", "Fuel & Go", 2500, 8900),
    ("card_payment", "Trattoria Bella", 1890, 9600),
    ("card_payment", "Pharmacy Plus", 450, 4200),
    ("card_payment", "Nordic Outfitters", 2900, 18900),
    ("card_payment", "CloudNine Software", 900, 2900),
    ("card_payment", "Pixel Arcade Online", 499, 5999),
    ("card_payment", "SkyHop Airlines", 6900, 42000),
    ("card_payment", "City Bike Hire", 150, 1200),
    ("direct_debit", "Brightspark Electricity", 4800, 13500),
    ("direct_debit", "Fernway Broadband", 2990, 4990),
    ("direct_debit", "Alder Insurance", 1900, 8800),
    ("cash_withdrawal", "Cash machine, Main Street", 2000, 20000),
    ("transfer", "Transfer to savings", 5000, 50000),
    ("fee", "Card replacement fee", 500, 1000),
)
