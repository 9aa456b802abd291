"""The catalog on the wire (V3)."""

from __future__ import annotations

from typing import Any

from sandbox.bigcommerce.catalog import CatalogProduct, CatalogVariant
from sandbox.bigcommerce.profiles import Category, Profile
from sandbox.bigcommerce.v3 import date

TREE_ID = 1
_PRODUCT: dict[str, Any] = {
    "name": "",
    "type": "physical",
    "sku": "",
    "description": "",
    "weight": 0,
    "width": 0,
    "depth": 0,
    "height": 0,
    "price": 0,
    "cost_price": 0,
    "retail_price": 0,
    "sale_price": 0,
    "map_price": 0,
    "tax_class_id": 0,
    "product_tax_code": "",
    "categories": [],
    "brand_id": 0,
    "inventory_level": 0,
    "inventory_warning_level": 0,
    "inventory_tracking": "none",
    "fixed_cost_shipping_price": 0,
    "is_free_shipping": False,
    "is_visible": True,
    "is_featured": False,
    "related_products": [-1],
    "warranty": "",
    "bin_picking_number": "",
    "upc": "",
    "mpn": "",
    "gtin": "",
    "search_keywords": "",
    "availability": "available",
    "availability_description": "",
    "sort_order": 0,
    "condition": "New",
    "is_condition_shown": False,
    "order_quantity_minimum": 0,
    "order_quantity_maximum": 0,
    "page_title": "",
    "meta_keywords": [],
    "meta_description": "",
    "view_count": 0,
    "total_sold": 0,
}
"""What a product has when nothing was said."""
_VARIANT: dict[str, Any] = {
    "cost_price": 0,
    "price": None,
    "sale_price": None,
    "retail_price": None,
    "weight": None,
    "width": None,
    "height": None,
    "depth": None,
    "is_free_shipping": False,
    "fixed_cost_shipping_price": None,
    "purchasing_disabled": False,
    "purchasing_disabled_message": "",
    "image_url": "",
    "upc": "",
    "mpn": "",
    "gtin": "",
    "inventory_level": 0,
    "inventory_warning_level": 0,
    "bin_picking_number": "",
}


def render_product(row: CatalogProduct, *, include: str = "") -> dict[str, Any]:
    """A product, with its variants where they are included."""
    document = {"id": row.id, **_PRODUCT, **row.fields}
    document |= {
        "calculated_price": document["price"],
        # A product with options has no base variant.
        "base_variant_id": row.variants[0].id if row.simple else None,
        "date_created": date(row.created),
        "date_modified": date(row.modified),
        "custom_url": {"url": f"/{str(document['name']).lower().replace(' ', '-')}/", "is_customized": False},
    }
    if "variants" in include.split(","):
        document["variants"] = [render_variant(row, variant) for variant in row.variants]
    return document


def render_variant(row: CatalogProduct, variant: CatalogVariant) -> dict[str, Any]:
    """A variant. The base variant of a product without options shows the product's SKU."""
    product = {**_PRODUCT, **row.fields}
    price = variant.fields.get("price")
    option = variant.option
    return {
        "id": variant.id,
        "product_id": row.id,
        "sku": product["sku"],
        "sku_id": variant.id + 100_000 if option else None,
        **_VARIANT,
        **variant.fields,
        "calculated_price": product["price"] if price is None else price,
        "calculated_weight": product["weight"],
        "option_values": [{"id": variant.id, "label": option[1], "option_id": row.id, "option_display_name": option[0]}]
        if option
        else [],
    }


def render_category(category: Category, *, old: bool = False) -> dict[str, Any]:
    """A category of `/catalog/trees/categories`, or of the older `/catalog/categories`."""
    path = f"/{category.name.lower().replace(' ', '-')}/"
    common: dict[str, Any] = {
        "parent_id": category.parent_id,
        "name": category.name,
        "description": "",
        "views": 0,
        "sort_order": 0,
        "page_title": "",
        "meta_keywords": [],
        "meta_description": "",
        "layout_file": "category.html",
        "image_url": "",
        "is_visible": True,
        "search_keywords": "",
        "default_product_sort": "use_store_settings",
    }
    if old:
        return {"id": category.id, **common, "custom_url": {"url": path, "is_customized": False}}
    return {
        "category_id": category.id,
        "tree_id": TREE_ID,
        **common,
        "url": {"path": path, "is_customized": False},
    }


def render_category_node(profile: Profile, category: Category, depth: int = 0) -> dict[str, Any]:
    """A category with everything below it, as `/catalog/trees/{id}/categories` nests them."""
    parents = {known.id: known for known in profile.categories}
    path: list[int] = []
    step: Category | None = category
    while step is not None:
        path.insert(0, step.id)
        step = parents.get(step.parent_id)
    return {
        "id": category.id,
        "parent_id": category.parent_id,
        "depth": depth,
        "path": path,
        "name": category.name,
        "is_visible": True,
        "url": f"/{category.name.lower().replace(' ', '-')}/",
        "children": [
            render_category_node(profile, child, depth + 1)
            for child in profile.categories
            if child.parent_id == category.id
        ],
    }
