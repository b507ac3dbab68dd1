"""Is a customer so angry that a person should take over? By words alone, and conservative: somebody who curses a parcel
is not somebody who has had enough of us. Deterministic, whatever the model provider.
"""

import re

from agents.lexical import normalised

# One of these is enough. They are about us, or say that patience has run out.
_ENOUGH = re.compile(
    r"\bi(?: am|'m)(?: (?:so|very|really|absolutely|extremely|beyond|getting))* (?:furious|livid|outraged"
    r"|fuming|angry|pissed(?: off)?|fed up|disgusted|enraged)\b"
    r"|\b(?:worst|most useless|most incompetent) (?:customer )?(?:service|support|company|shop|store|bank)\b"
    r"|\bi(?:'ll| will| am going to|'m going to) (?:sue|(?:get|call|contact|involve) (?:my|a) lawyers?)\b"
    r"|\bsee you in court\b"
    r"|\b(?:my lawyers? (?:will|is going to)|hear from my lawyers?|take (?:you|this) to court|sue you)\b"
    r"|\b(?:fuck|screw) (?:you|off|this)\b|\bgo to hell\b|\bfucking (?:useless|joke|ridiculous|idiots?|bot|scam)\b"
    r"|\byou(?: people| guys| all|'re| are)* (?:(?:all|such|a bunch of|a|bloody|fucking|stupid|complete|useless) )*"
    r"(?:idiots?|morons?|crooks?|thieves|scammers?|liars?|clowns)\b"
    r"|\b(?:third|fourth|fifth|tenth|hundredth|\d{1,2}(?:rd|th)) time (?:i(?:'ve| have| am|'m)?|that i) "
    r"(?:have )?(?:(?:had to )?(?:ask|asked|asking|told|telling|tell|complain(?:ed|ing)?|wr(?:ite|iting|itten|ote)))"
    r"|\b(?:sick and tired|sick to death) of (?:this|you|your|waiting|asking)\b"
    # German, French, Spanish, Italian, Portuguese
    r"|\bich bin (?:so |sehr |extrem |stink)?(?:wütend|sauer|stinksauer|empört)\b|\bunverschämtheit\b|\bverarscht?\b"
    r"|\b(?:mein anwalt|ich verklage)\b|\bschlechtester? (?:service|kundendienst|support)\b"
    r"|\bje suis (?:tellement |très |vraiment )?(?:furieu[sx]e?|en colère|scandalisée?)\b|\bj'en ai (?:marre|assez)\b"
    r"|\b(?:mon avocat|porter plainte)\b|\bpire service\b"
    r"|\bestoy (?:muy |realmente )?(?:furios[oa]|enfadad[oa]|indignad[oa]|hart[oa])\b"
    r"|\bmi abogad[oa]\b|\bpeor servicio\b"
    r"|\bsono (?:molto |davvero )?(?:furios[oa]|arrabbiat[oa]|stuf[oa])\b|\bmio avvocato\b|\bpeggior servizio\b"
    r"|\bestou (?:muito )?(?:furios[oa]|com raiva|indignad[oa]|fart[oa])\b"
    r"|\bmeu advogado\b|\bpior (?:serviço|atendimento)\b"
    # Chinese
    r"|气死我|我(?:很|非常|真的很|太)(?:生气|愤怒|火大)|忍无可忍|受够(?:了)?你们|你们(?:这群|这帮|都是)?(?:骗子|垃圾|白痴|傻[逼子])"
    r"|垃圾(?:客服|服务|公司|平台|机器人)|(?:我要|要去|去)(?:投诉|起诉|告)你们|找律师|律师函|法庭见|12315|滚蛋|他妈的"
)
# Two different ones of these are enough, or one of them shouted.
_HARSH = re.compile(
    r"\b(?:unacceptable|ridiculous|outrageous|disgraceful|disgusting|pathetic|appalling|shameful|useless|garbage"
    r"|incompetent|infuriating|a joke|a scam|scam|bullshit|horrible|terrible|awful|for the last time"
    r"|what the (?:hell|fuck)|wtf|damn it|goddamn)\b"
    r"|\b(?:unverschämt|lächerlich|inakzeptabel|frechheit|inacceptable|scandaleux|ridicule|honteux"
    r"|inaceptable|ridículo|vergonzoso|inaccettabile|ridicolo|vergognoso|inaceitável|vergonhoso)\b"
    r"|太(?:过分|离谱|差劲)了?|不可接受|荒唐|垃圾|恶心|骗人|有病吧"
)
_DENIED = re.compile(
    r"\b(?:not|isn't|is not|wasn't|never|no longer|nicht|pas|no estoy|non sono|não estou)\s+"
    r"(?:(?:so|really|that|very|at all|sehr) )*(?:furious|livid|angry|fed up|unacceptable|ridiculous|terrible|horrible"
    r"|useless|awful|a scam|a joke|wütend|sauer|en colère)\b"
    r"|(?:没有?|不)(?:是)?(?:很)?(?:生气|愤怒)"
)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|「[^」]*」|«[^»]*»")
_LETTERS = re.compile(r"[A-Za-z]")


def is_angry(message: str) -> bool:
    """True for a customer who has had enough: threats, abuse of us, fury in so many words, or harsh words that are
    repeated or shouted. What is quoted or denied ("I'm not angry") does not count."""
    plain = _QUOTED.sub(" ", normalised(message))
    plain = _DENIED.sub(" ", plain)
    if _ENOUGH.search(plain):
        return True
    harsh = set(_HARSH.findall(plain))
    return len(harsh) >= 2 or (bool(harsh) and _is_shouted(message))


def _is_shouted(message: str) -> bool:
    """Three signs of shouting at the end of a word, or capitals throughout."""
    letters = _LETTERS.findall(message)
    capitals = sum(letter.isupper() for letter in letters)
    return bool(re.search(r"[!！]{3}", message)) or (len(letters) >= 12 and capitals >= 0.8 * len(letters))
