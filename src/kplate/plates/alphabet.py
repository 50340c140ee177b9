"""The 80 symbols that a Korean number plate is written with, and their order.

The order is part of every reader's weights: symbol *i* of :data:`ALPHABET` is class *i* of the network and
the CTC blank comes last. Source: the plate notice of the Ministry of Land, Infrastructure and Transport
(자동차 등록번호판 등의 기준에 관한 고시) and the use letters it lists.
"""

from typing import Final

DIGITS: Final = "0123456789"
#: The 32 letters of private and government vehicles.
PRIVATE: Final = "가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주"
#: Commercial vehicles; 배 is delivery (since 2013).
COMMERCIAL: Final = "바사아자배"
#: Rental cars; 하 and 호 since 2013.
RENTAL: Final = "하허호"
#: Ministry of Defence, Joint Chiefs of Staff, army, navy, air force.
MILITARY: Final = "국합육해공"
TEMPORARY: Final = "임"
#: The 17 first-level regions, as they are written on plates.
REGIONS: Final = tuple(
    "서울 부산 대구 인천 광주 대전 울산 세종 경기 강원 충북 충남 전북 전남 경북 경남 제주".split()
)
#: Words of diplomatic plates.
DIPLOMATIC: Final = tuple("외교 영사 준외 준영 국기 협정 대표".split())

ALPHABET: Final = (
    DIGITS
    + PRIVATE
    + COMMERCIAL
    + RENTAL
    + MILITARY
    + TEMPORARY
    + "울산대인천광전세종경기강원충북남제"
    + "외교영준협정표"
)
#: Class index of the CTC blank.
BLANK: Final = len(ALPHABET)
INDEX: Final = {symbol: index for index, symbol in enumerate(ALPHABET)}


def encode(text: str) -> list[int]:
    """Turn a canonical text into class indices.

    Raises:
        KeyError: A symbol is not of the alphabet.
    """
    return [INDEX[symbol] for symbol in text]


def decode(indices: list[int]) -> str:
    """Turn class indices (no blanks) into text."""
    return "".join(ALPHABET[index] for index in indices)
