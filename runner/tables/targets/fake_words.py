"""Words of which fakes are made: common names of people and invented places.

To change a list changes the fakes of every copy that is made after that.
"""

from __future__ import annotations

FIRST = (
    "Ada", "Alan", "Alma", "Anton", "Beth", "Boris", "Carla", "Carl", "Clara", "Dana",
    "David", "Edith", "Emil", "Erik", "Esra", "Eva", "Felix", "Fiona", "Gina", "Greta",
    "Hanna", "Henri", "Hugo", "Ida", "Igor", "Ines", "Ivan", "Jana", "Jonas", "Julia",
    "Karim", "Kira", "Klara", "Lara", "Leon", "Lena", "Luca", "Lucy", "Malik", "Marta",
    "Mira", "Nadia", "Nils", "Nora", "Olga", "Omar", "Oscar", "Paula", "Pavel", "Petra",
    "Quinn", "Rana", "Rosa", "Ruth", "Samir", "Sara", "Selma", "Simon", "Sofia", "Tara",
    "Theo", "Timur", "Vera", "Zoe",
)  # fmt: skip
LAST = (
    "Abel", "Adler", "Alder", "Archer", "Ash", "Baker", "Barley", "Beck", "Birch", "Bishop",
    "Bloom", "Brook", "Carver", "Cedar", "Clay", "Cooper", "Copper", "Dale", "Dawson",
    "Ember", "Farmer", "Fern", "Field", "Finch", "Fisher", "Flint", "Forest", "Foster",
    "Fox", "Gardner", "Glenn", "Grant", "Grove", "Hale", "Harper", "Hart", "Hazel", "Heath",
    "Hill", "Holm", "Hunter", "Ivory", "Jasper", "Keller", "Lake", "Lane", "Larch",
    "Linden", "Marsh", "Mason", "Meadow", "Miller", "Moss", "North", "Oakley", "Olive",
    "Parker", "Pearl", "Pine", "Porter", "Reed", "Ridge", "Rivers", "Rowan", "Sage",
    "Sander", "Shepherd", "Silver", "Stone", "Summer", "Taylor", "Thorne", "Vale", "Walker",
    "Weaver", "West", "Willow", "Winter", "Wood", "Wright",
)  # fmt: skip
COMPANIES = (
    "Foods", "Print", "Energy", "Tools", "Textiles", "Freight", "Media", "Pharma",
    "Systems", "Insurance", "Paper", "Optics", "Travel", "Metals", "Furniture", "Design",
)  # fmt: skip
KINDS = (
    "Ltd", "GmbH", "Inc", "AB", "BV", "SA",
)  # fmt: skip
STREETS = (
    "Oak Street", "Mill Lane", "Station Road", "Harbor Street", "Garden Way",
    "Church Street", "Market Street", "River Road", "School Lane", "Park Avenue",
    "High Street", "Hill Road",
)  # fmt: skip
TOWNS = (
    "Ashford Falls", "Birchwood Bay", "Copper Creek", "Dunmore Hill", "Eastlake Green",
    "Fernhill Cross", "Glenbrook End", "Hazelton Ford", "Larkfield", "Mossbridge",
    "Northgate Vale", "Oakhaven Mills", "Pinecrest Hollow", "Redwater", "Stonefield",
    "Willowmere",
)  # fmt: skip
